// The texts of a JSON header: finding their ends 16 or 8 characters at a time, and undoing escapes.
#include "protocol/json_header.hpp"
#include "protocol/utf8.hpp"

#include <array>
#include <bit>
#include <cstring>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace holdfast::protocol {

namespace {

constexpr std::size_t word_bytes = 8;

constexpr std::uint64_t repeated(char character) {
    return 0x0101010101010101ULL * static_cast<std::uint8_t>(character);
}

// The lowest marked byte is exact; above it there may be false marks.
constexpr std::uint64_t zero_bytes(std::uint64_t word) {
    return (word - repeated(1)) & ~word & 0x8080808080808080ULL;
}

// Marks quotes and backslashes in 8 characters.
constexpr std::uint64_t string_ends(std::uint64_t word) {
    return zero_bytes(word ^ repeated('"')) | zero_bytes(word ^ repeated('\\'));
}

std::uint64_t load_word(const char* from) {
    std::uint64_t word = 0;
    std::memcpy(&word, from, sizeof word);
    return word;
}

#ifdef __SSE2__
// Marks quotes and backslashes in 16 characters, a bit for each.
unsigned wide_string_ends(const char* from) {
    const auto block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    const auto ends =
        _mm_or_si128(_mm_cmpeq_epi8(block, _mm_set1_epi8('"')), _mm_cmpeq_epi8(block, _mm_set1_epi8('\\')));
    return static_cast<unsigned>(_mm_movemask_epi8(ends));
}
#endif

// The first quote or backslash.
const char* find_string_end(const char* at, const char* last) {
#ifdef __SSE2__
    constexpr std::ptrdiff_t block_bytes = 16;
    for (; last - at >= block_bytes; at += block_bytes)
        if (const auto marks = wide_string_ends(at); marks != 0)
            return at + std::countr_zero(marks);
#endif
    while (static_cast<std::size_t>(last - at) >= word_bytes) {
        const std::uint64_t marks = string_ends(load_word(at));
        if (marks != 0)
            return at + std::countr_zero(marks) / 8;
        at += word_bytes;
    }
    while (at != last && *at != '"' && *at != '\\')
        ++at;
    return at;
}

// -1 for what is no hex digit, so that a wrong one makes the whole number negative.
constexpr std::array<std::int8_t, 256> hex_values = [] {
    std::array<std::int8_t, 256> values{};
    values.fill(-1);
    for (int i = 0; i < 10; ++i)
        values[static_cast<std::size_t>('0' + i)] = static_cast<std::int8_t>(i);
    for (int i = 0; i < 6; ++i)
        values[static_cast<std::size_t>('a' + i)] = values[static_cast<std::size_t>('A' + i)] =
            static_cast<std::int8_t>(10 + i);
    return values;
}();

} // namespace

bool json_header_scanner::scan_string(std::string_view& to) {
    const char* const begin = ++at_;
    at_ = find_string_end(at_, last_);
    if (at_ == last_)
        return fail("a text does not end");
    if (*at_ == '\\')
        return unescape(begin, to);
    to = {begin, static_cast<std::size_t>(at_ - begin)};
    ++at_;
    return true;
}

// From the first backslash on. Unescaped texts are never longer than escaped ones, so a scratch as large as
// the header holds them all, with a word to spare for copying 8 characters at a time.
bool json_header_scanner::unescape(const char* piece_first, std::string_view& to) {
    if (!scratch_)
        scratch_ = into_.scratch(static_cast<std::size_t>(last_ - first_) + word_bytes);
    char* const begin = scratch_;
    char* out = scratch_;
    std::memcpy(out, piece_first, static_cast<std::size_t>(at_ - piece_first));
    out += at_ - piece_first;
    while (at_ != last_) {
        if (*at_ == '"') {
            ++at_;
            to = {begin, static_cast<std::size_t>(out - begin)};
            scratch_ = out;
            return true;
        }
        if (*at_ == '\\') {
            if (!unescape_one(out))
                return false;
        } else if (static_cast<std::size_t>(last_ - at_) >= word_bytes) {
            const std::uint64_t word = load_word(at_);
            const std::uint64_t marks = string_ends(word);
            const int plain = marks == 0 ? static_cast<int>(word_bytes) : std::countr_zero(marks) / 8;
            std::memcpy(out, &word, sizeof word);
            out += plain;
            at_ += plain;
        } else {
            *out++ = *at_++;
        }
    }
    return fail("a text does not end");
}

bool json_header_scanner::unescape_one(char*& out) {
    ++at_;
    if (at_ == last_)
        return fail("a text does not end");
    switch (*at_++) {
    case '"':
        *out++ = '"';
        return true;
    case '\\':
        *out++ = '\\';
        return true;
    case '/':
        *out++ = '/';
        return true;
    case 'b':
        *out++ = '\b';
        return true;
    case 'f':
        *out++ = '\f';
        return true;
    case 'n':
        *out++ = '\n';
        return true;
    case 'r':
        *out++ = '\r';
        return true;
    case 't':
        *out++ = '\t';
        return true;
    case 'u':
        break;
    default:
        --at_;
        return fail("unknown escape");
    }
    std::uint32_t unit = 0;
    if (!scan_hex4(unit))
        return false;
    char32_t code_point = unit;
    if (unit >= 0xD800 && unit < 0xE000) {
        code_point = replacement_character; // half a pair is no character
        if (unit < 0xDC00 && last_ - at_ >= 6 && at_[0] == '\\' && at_[1] == 'u') {
            const char* const second = at_;
            std::uint32_t low = 0;
            at_ += 2;
            if (!scan_hex4(low))
                return false;
            if (low >= 0xDC00 && low < 0xE000)
                code_point = 0x10000 + ((unit - 0xD800) << 10U) + (low - 0xDC00);
            else
                at_ = second;
        }
    }
    out = encode_utf8(out, code_point);
    return true;
}

bool json_header_scanner::scan_hex4(std::uint32_t& unit) {
    if (last_ - at_ < 4)
        return fail("a text does not end");
    const auto digit = [&](int i) { return std::int32_t{hex_values[static_cast<std::uint8_t>(at_[i])]}; };
    const std::int32_t value = digit(0) << 12 | digit(1) << 8 | digit(2) << 4 | digit(3);
    if (value < 0)
        return fail("expected four hex digits");
    unit = static_cast<std::uint32_t>(value);
    at_ += 4;
    return true;
}

} // namespace holdfast::protocol
