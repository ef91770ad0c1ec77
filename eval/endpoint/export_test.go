package endpoint

// Owner returns how this process names itself to servers.
func Owner() string { return owner() }
