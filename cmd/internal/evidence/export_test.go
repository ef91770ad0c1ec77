package evidence

// What the tests of the package see beyond its interface.
var (
	Unpack = unpack
	Decode = decode
)
