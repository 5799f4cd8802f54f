#include "protocol/utf8.hpp"

#include <cstdint>

namespace holdfast::protocol {

namespace {

constexpr decoded_character malformed(std::size_t size) {
    return {replacement_character, size, true};
}

constexpr bool is_continuation(std::uint32_t byte) {
    return (byte & 0xC0U) == 0x80U;
}

// What may follow a lead byte. Surrogates are let through here: Java swallows all three bytes of one.
constexpr bool is_second(std::uint32_t lead, std::uint32_t byte) {
    if (!is_continuation(byte))
        return false;
    if (lead == 0xE0)
        return byte >= 0xA0;
    if (lead == 0xF0)
        return byte >= 0x90;
    if (lead == 0xF4)
        return byte < 0x90;
    return true;
}

} // namespace

decoded_character decode_utf8(std::string_view text) {
    const auto byte = [&](std::size_t at) { return std::uint32_t{static_cast<std::uint8_t>(text[at])}; };
    const std::uint32_t lead = byte(0);
    if (lead < 0x80)
        return {lead, 1, false};
    std::size_t size = 0;
    if (lead >= 0xC2 && lead < 0xE0)
        size = 2;
    else if (lead >= 0xE0 && lead < 0xF0)
        size = 3;
    else if (lead >= 0xF0 && lead <= 0xF4)
        size = 4;
    else
        return malformed(1);
    std::uint32_t code_point = lead & (0x7FU >> size);
    for (std::size_t i = 1; i < size; ++i) {
        if (i == text.size() || !(i == 1 ? is_second(lead, byte(i)) : is_continuation(byte(i))))
            return malformed(i);
        code_point = code_point << 6U | (byte(i) & 0x3FU);
    }
    if (code_point >= 0xD800 && code_point < 0xE000)
        return malformed(size);
    return {code_point, size, false};
}

char* encode_utf8(char* to, char32_t code_point) {
    const auto put = [&](std::uint32_t byte) { *to++ = static_cast<char>(byte); };
    if (code_point < 0x80) {
        put(code_point);
    } else if (code_point < 0x800) {
        put(0xC0U | code_point >> 6U);
        put(0x80U | (code_point & 0x3FU));
    } else if (code_point < 0x10000) {
        put(0xE0U | code_point >> 12U);
        put(0x80U | (code_point >> 6U & 0x3FU));
        put(0x80U | (code_point & 0x3FU));
    } else {
        put(0xF0U | code_point >> 18U);
        put(0x80U | (code_point >> 12U & 0x3FU));
        put(0x80U | (code_point >> 6U & 0x3FU));
        put(0x80U | (code_point & 0x3FU));
    }
    return to;
}

std::string_view clip_utf8(std::string_view text, std::size_t size) {
    if (text.size() <= size)
        return text;
    // No character has more than three continuation bytes; with more of them the text is broken anyway.
    std::size_t cut = size;
    for (int i = 0; i < 3 && cut > 0 && is_continuation(static_cast<std::uint8_t>(text[cut])); ++i)
        --cut;
    return text.substr(0, cut);
}

} // namespace holdfast::protocol
