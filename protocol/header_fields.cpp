#include "protocol/header_fields.hpp"

#include "protocol/utf8.hpp"

#include <charconv>
#include <limits>

namespace holdfast::protocol {

namespace {

constexpr std::size_t quoted_text_bytes = 64; // of a wrong value, in an error text

// Nearly all numbers on this wire: digits without a sign, too few to overflow.
template <class Integer>
bool parse_few_digits(std::string_view text, Integer& to) {
    if (text.empty() || text.size() > std::numeric_limits<Integer>::digits10)
        return false;
    Integer value = 0;
    for (const char character : text) {
        const auto digit = static_cast<unsigned>(static_cast<unsigned char>(character)) - '0';
        if (digit > 9)
            return false;
        value = static_cast<Integer>(value * 10 + static_cast<Integer>(digit));
    }
    to = value;
    return true;
}

template <class Integer>
bool parse_integer(std::string_view text, Integer& to) {
    if (parse_few_digits(text, to))
        return true;
    Integer value = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
    if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size())
        return false;
    to = value;
    return true;
}

bool equals_ignoring_case(std::string_view text, std::string_view lower) {
    if (text.size() != lower.size())
        return false;
    for (std::size_t i = 0; i < text.size(); ++i)
        if ((text[i] | 0x20) != lower[i])
            return false;
    return true;
}

} // namespace

bool parse_field(std::string_view text, std::string_view& to) {
    to = text;
    return true;
}

bool parse_field(std::string_view text, std::int32_t& to) {
    return parse_integer(text, to);
}

bool parse_field(std::string_view text, std::int64_t& to) {
    return parse_integer(text, to);
}

bool parse_field(std::string_view text, bool& to) {
    // Java's Boolean.parseBoolean knows only true and everything else; 1 and 0 cost nothing to understand.
    if (equals_ignoring_case(text, "true") || text == "1")
        to = true;
    else if (equals_ignoring_case(text, "false") || text == "0")
        to = false;
    else
        return false;
    return true;
}

bool parse_field(std::string_view text, queue_number& to) {
    std::int32_t value = 0;
    if (!parse_integer(text, value) || value < 0)
        return false;
    to = queue_number{static_cast<std::uint32_t>(value)};
    return true;
}

bool parse_field(std::string_view text, queue_offset& to) {
    std::int64_t value = 0;
    if (!parse_integer(text, value))
        return false;
    to = queue_offset{value};
    return true;
}

bool parse_field(std::string_view text, log_position& to) {
    std::int64_t value = 0;
    if (!parse_integer(text, value) || value < 0)
        return false;
    to = log_position{static_cast<std::uint64_t>(value)};
    return true;
}

bool parse_field(std::string_view text, timestamp_ms& to) {
    std::int64_t value = 0;
    if (!parse_integer(text, value))
        return false;
    to = timestamp_ms{value};
    return true;
}

bool parse_field(std::string_view text, transaction_end& to) {
    std::int32_t value = 0;
    if (!parse_integer(text, value) || (value != 0 && value != 8 && value != 12))
        return false;
    to = static_cast<transaction_end>(value);
    return true;
}

std::string_view field_kind(std::string_view) {
    return "a text";
}
std::string_view field_kind(std::int32_t) {
    return "a 32-bit integer";
}
std::string_view field_kind(std::int64_t) {
    return "a 64-bit integer";
}
std::string_view field_kind(bool) {
    return "true or false";
}
std::string_view field_kind(queue_number) {
    return "a queue number, 0 or more";
}
std::string_view field_kind(queue_offset) {
    return "a 64-bit integer";
}
std::string_view field_kind(log_position) {
    return "an offset in the log, 0 or more";
}
std::string_view field_kind(timestamp_ms) {
    return "a time in milliseconds";
}
std::string_view field_kind(transaction_end) {
    return "8 (commit), 12 (rollback) or 0 (unknown)";
}

error bad_field(std::string_view name, std::string_view text, std::string_view kind) {
    std::string message = "field ";
    message.append(name).append(" must be ").append(kind).append(", not \"");
    message.append(clip_utf8(text, quoted_text_bytes)).append("\"");
    return {errc::malformed, std::move(message)};
}

error missing_field(std::string_view name) {
    std::string message = "field ";
    message.append(name).append(" is missing");
    return {errc::malformed, std::move(message)};
}

} // namespace holdfast::protocol
