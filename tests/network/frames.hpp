// Frames for tests: a valid prefix and JSON header, and a body of the size asked for.
#pragma once

#include "base/byte_buffer.hpp"

#include <string>
#include <string_view>

namespace holdfast::network {

// `size` bytes altogether (at least 8 + the header); the body is filled with `fill`.
inline std::string frame_of(std::size_t size, char fill = 'b') {
    constexpr std::string_view header = R"({"code":1})";
    byte_buffer bytes;
    bytes.append_big(static_cast<std::uint32_t>(size - 4));
    bytes.append_big(static_cast<std::uint32_t>(header.size()));
    bytes.append(header);
    bytes.append(std::string(size - bytes.size(), fill));
    return std::string{as_text(bytes.view())};
}

// The beginning of a frame that claims to be `size` bytes long.
inline std::string prefix_of(std::size_t size) {
    return frame_of(64).replace(0, 4, frame_of(size).substr(0, 4));
}

} // namespace holdfast::network
