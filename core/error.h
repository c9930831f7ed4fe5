#pragma once

#include "gpu/error.h"
