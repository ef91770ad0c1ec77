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

// Any card has a licence or none, and any licences have one in common or a reason why not.
func FuzzLicence(f *testing.F) {
	f.Add("---\nlicense: mit\n---\n", "---\nlicense: other\nlicense_name: llama3\n---\n")
	f.Add("---\r\nlicense: \"cc-by-nc-4.0\"\r\n---\r\n", "license: mit\n")
	f.Fuzz(func(t *testing.T, a, b string) {
		l := CommonLicence(map[string]string{"a": licenceOf([]byte(a)), "b": licenceOf([]byte(b))})
		if (l.Common == "") == (l.Problem == "") {
			t.Errorf("%+v", l)
		}
	})
}
