package metric

import "fmt"

// Window is one request of a rolling log-likelihood: the tokens to be scored, and
// those that stand before them.
type Window struct{ Context, Target []int }

// Windows cuts the tokens of a text into requests of at most length+1 tokens, of which
// the last one is never read by the model, so that every token is scored once. The
// first window begins after the prefix token; each later one sees at least context
// tokens before its first target, and more where the text is running out. context lies
// between 1, as the harness has it, and length. The windows share memory with tokens.
func Windows(tokens []int, prefix, length, context int) []Window {
	if context < 1 || context > length {
		panic(fmt.Sprintf("metric: windows of %d tokens with a context of %d", length, context))
	}
	if len(tokens) == 0 {
		return nil
	}
	done := min(length, len(tokens))
	windows := []Window{{Context: []int{prefix}, Target: tokens[:done:done]}}
	for done < len(tokens) {
		end := min(len(tokens), done+length-context+1)
		windows = append(windows, Window{Context: tokens[end-length-1 : done : done], Target: tokens[done:end:end]})
		done = end
	}
	return windows
}
