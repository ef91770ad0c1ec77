package merge

import "testing"

func TestLicenceOfACard(t *testing.T) {
	for card, want := range map[string]string{
		"---\nlicense: apache-2.0\ntags:\n- x\n---\n# Model":                            "apache-2.0",
		"---\r\nlicense: \"mit\"\r\n---\r\n":                                            "mit",
		"---\nlicense: other\nlicense_name: llama3.1\nlicense_link: LICENSE\n---\ntext": "llama3.1",
		"# Model\nlicense: mit":                                                         "",
		"---\nlicense: mit\n":                                                           "",
		"":                                                                              "",
	} {
		if got := licenceOf([]byte(card)); got != want {
			t.Errorf("%q: licence %q, want %q", card, got, want)
		}
	}
}
