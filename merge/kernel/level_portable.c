// What every machine of the architecture can run.
#define LEVEL msmerge_portable
#include "native/level.h"
