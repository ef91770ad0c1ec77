package mergesearch

// Failure is the error of a candidate that cannot be built or scored. It is
// data, not trouble: the trial is recorded as failed and the run goes on. Every
// other error of a Builder or Scorer means that the environment is broken.
type Failure struct {
	Reason
}

func (f *Failure) Error() string { return f.Text }
