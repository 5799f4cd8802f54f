// UTF-8 as Java reads it: malformed pieces become U+FFFD, in Java's portions (protocol reference T21).
#pragma once

#include <string_view>

namespace holdfast::protocol {

inline constexpr char32_t replacement_character = 0xFFFD;

struct decoded_character {
    char32_t code_point = 0;
    std::size_t size = 0; // bytes consumed, at least 1
    bool is_malformed = false;
};

// The character at the beginning of a non-empty text.
[[nodiscard]] decoded_character decode_utf8(std::string_view text);

// Writes 1 to 4 bytes and returns the place after them. `code_point` is no surrogate and at most U+10FFFF.
char* encode_utf8(char* to, char32_t code_point);

// The longest beginning of at most `size` bytes that does not cut a character in two.
[[nodiscard]] std::string_view clip_utf8(std::string_view text, std::size_t size);

} // namespace holdfast::protocol
