// The only file that includes N-API, so that its settings are the same everywhere.
#pragma once

#define NODE_ADDON_API_REQUIRE_BASIC_FINALIZERS
// A worker that is being terminated fails every call; there is nobody left to throw at then.
#define NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS

#include <napi.h>
