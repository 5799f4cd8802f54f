// zlib, as RocketMQ's clients use it for bodies (protocol reference 5.3).
#pragma once

#include "base/result.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace holdfast::client {

// A body that claims to inflate to more than this is refused.
inline constexpr std::size_t max_inflated_bytes = std::size_t{64} << 20U;

// Level 1 (fast) to 9 (small). Empty when the result would not be smaller than `text`.
[[nodiscard]] std::string deflate_text(std::string_view text, int level);
// malformed when it is no zlib stream, too_large beyond `max_bytes`.
[[nodiscard]] result<std::string> inflate_text(std::string_view bytes,
                                               std::size_t max_bytes = max_inflated_bytes);

} // namespace holdfast::client
