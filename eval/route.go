package eval

// A log-likelihood can be asked for in several ways, and hardly two servers share
// one. A route is such a way: it writes the requests for token sequences and reads
// the responses. Each stands in a file of its own:
//
//	echo             OpenAI's echo with logprobs          route_echo.go
//	promptLogprobs   vLLM's prompt_logprobs               route_promptlogprobs.go
//	labels           single tokens after one context      route_labels.go
//	inputLogprobs    SGLang's /generate                   route_inputlogprobs.go
//	forced           llama-server, one token at a time    route_forced.go
//	text, chat       completions                          route_text.go, route_chat.go
type route interface {
	// requests writes what asks for the sequences, in their order; a request may
	// hold several. With greedy the likeliest token at each place is wanted too.
	requests(seqs []sequence, greedy bool, p Profile) []request

	// read takes one part for each sequence of the request out of its response, or
	// refuses the response as *malformed. A text that is not JSON, or is cut off,
	// is any other error, which is worth a retry.
	read(s *scanner, r *request, out *reply) error
}

// sequence is a list of token ids of which those from ctx on are scored.
type sequence struct {
	ids  []int32
	ctx  int // at least 1
	pair int // index of the question's pair that it belongs to
}

// request is one HTTP request, without the model's name.
type request struct {
	via    route
	path   string // below the base URL, or below the server's root
	root   bool   // below the root: servers' own protocols, whose bodies name no model
	tail   []byte // of the body, after the model's name
	seqs   []sequence
	greedy bool
	zero   bool // no token is generated, so there is no entry for one
	prompt int  // tokens that the server must count in the prompt; 0 when it was text
	drawn  drawing

	probe bool // more is read: single values, and what names tokens and model
}

// reply is a response as far as it matters.
type reply struct {
	fingerprint      string // what the server says of its weights
	model            string // the name that it answers under
	promptTokens     int    // -1 when the server does not say
	completionTokens int    // the same
	parts            []part // one for each sequence, or for each prompt of text
}

// part is what a response says about one sequence.
type part struct {
	likelihood
	written
	taken  bool
	values []float64 // of each scored token; for a probe
}

// likelihood is what the server says about one continuation.
type likelihood struct {
	logprob float64 // natural, summed over the continuation's tokens in their order
	greedy  bool    // each of its tokens is the likeliest; false when not asked for
}

// written is a completion.
type written struct {
	text, finish string
	tokens       int // that it took; -1 when the server does not say
	prompt       int // tokens of a prompt that was sent as text; -1 when the server does not say
}

// answers is what came back for one question.
type answers struct {
	likelihoods []likelihood // one for each of the question's pairs
	texts       []written    // completions of generate_until, one for each repeat
	scores      []float64    // of the texts, by the task's scorer or judge
	judgements  []judgement  // of the texts, by the task's judge

	prompt, completion int // tokens of all requests
}

// positive is how far above zero a log-probability may lie from rounding.
const positive = 1e-3

// floor is what servers send instead of minus infinity.
const floor = -9999

// tally sums up the tokens of one continuation as they are read. It refuses what
// would turn into a plausible but wrong score.
type tally struct {
	likelihood
	tokens int
	keep   bool
	values []float64
}

// add takes the log-probability of the token at a place of its sequence; best is
// that of the likeliest token there.
func (t *tally) add(place int, x, best float64) error {
	if err := probable(place, x); err != nil {
		return err
	}
	if t.tokens == 0 {
		t.greedy = true
	}
	t.tokens++
	if t.keep {
		t.values = append(t.values, x)
	}
	t.logprob += max(x, floor)
	if !(x >= best) {
		t.greedy = false
	}
	return nil
}

// into hands the sum over to a part of the request's response.
func (t *tally) into(to *part, r *request) {
	to.likelihood, to.values, to.taken = t.likelihood, t.values, true
	to.greedy = t.greedy && r.greedy
}

// probable refuses null, NaN and probabilities above one.
func probable(place int, x float64) error {
	switch {
	case x != x:
		return unusable("log-probability nan of token %d of the prompt", place)
	case x > positive:
		return unusable("log-probability %v of token %d of the prompt", x, place)
	}
	return nil
}
