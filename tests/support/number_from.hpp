// Settings of the tests that hunt: seeds, and how long.
#pragma once

#include <cstdint>
#include <cstdlib>

namespace holdfast::testing {

// The number in an environment variable, or `otherwise` when it is not set.
inline std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
    const char* const text = std::getenv(variable);
    return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

} // namespace holdfast::testing
