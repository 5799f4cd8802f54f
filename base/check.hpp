// Always-on checks. A broken invariant ends the process with the place and the words: a broker that goes on
// with a state it can't explain is how messages get lost.
#pragma once

namespace holdfast {

[[noreturn]] void check_failed(const char* expression, const char* file, int line);

} // namespace holdfast

#define HOLDFAST_CHECK(expression)                                                                           \
    (static_cast<bool>(expression) ? void(0) : ::holdfast::check_failed(#expression, __FILE__, __LINE__))
