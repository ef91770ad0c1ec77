// Every operation for a GPU, compiled to ../../device.ptx.gz (make kernels), and
// for the host by the tests.
#include "combine.h"
#include "divergence.h"
#include "group.h"
#include "products.h"
#include "ranks.h"
#include "scan.h"
#include "score.h"
