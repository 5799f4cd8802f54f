// Times as a person writes them.
#pragma once

#include "base/ids.hpp"
#include "base/result.hpp"

#include <string>

namespace holdfast::cli {

// `2026-11-23[ 18:00[:30]]` (or with a T in the middle) in local time, `10m` ago (s, m, h, d), or
// milliseconds since 1970. `now` is what `10m` counts from.
result<timestamp_ms> parse_time(const std::string& text, timestamp_ms now);

} // namespace holdfast::cli
