package merge

// Statistics returns how many numbers and tiles of masks the engine keeps.
func (e *Engine) Statistics() int {
	return e.stats.recent.Len() + e.bits.recent.Len()
}

// MergekitRecipes are recipes of the shapes that mergekit's documentation has.
var MergekitRecipes = mergekitRecipes

// Forget drops what the engine knows of its models, which stay on the device.
func (e *Engine) Forget() { e.forget() }
