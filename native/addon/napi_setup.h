// The only file that includes N-API, so that its settings are the same everywhere.
#pragma once

#define NODE_ADDON_API_REQUIRE_BASIC_FINALIZERS

#include <napi.h>
