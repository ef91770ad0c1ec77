package merge

import "mergesearch"

// taskArithmetic adds weighted task vectors to the base model:
//
//	out = theta_0 + lambda sum_i w_i (theta_i - theta_0),
//
// the sum divided by sum_i w_i with normalize. Ilharco et al. 2023, "Editing
// models with task arithmetic" (arXiv 2212.04089).
var taskArithmetic = method{
	Method: mergesearch.Method{
		Name:       "task_arithmetic",
		NeedsBase:  true,
		Parameters: []mergesearch.Parameter{weightParameter, lambdaParameter, flag("normalize", 0)},
		Usual: []mergesearch.Usual{
			{Name: "task_arithmetic weight 0.5", Values: map[string]float64{"weight": 0.5}},
			{Name: "task_arithmetic weight 1", Values: map[string]float64{"weight": 1}},
		},
	},
	ignored:   []string{"density", "rescale", "int8_mask"},
	bind:      func(b *binding) apply { return b.combine(keepAll, false) },
	reference: func(o operands) []float32 { return combineReference(o, keepAllReference, false) },
}
