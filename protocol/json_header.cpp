#include "protocol/json_header.hpp"

#include "protocol/header_fields.hpp"

namespace holdfast::protocol {

namespace {

bool is_digit(char character) {
    return character >= '0' && character <= '9';
}

} // namespace

result<void> json_header_scanner::scan() {
    if (scan_header())
        return {};
    return error{failure_code_, "JSON header, byte " + std::to_string(at_ - first_) + ": " +
                                    (failure_ ? failure_ : "malformed")};
}

bool json_header_scanner::fail(const char* what, errc code) {
    if (!failure_) {
        failure_ = what;
        failure_code_ = code;
    }
    return false;
}

inline void json_header_scanner::skip_space() {
    while (at_ != last_ && static_cast<std::uint8_t>(*at_) <= ' ' &&
           (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t'))
        ++at_;
}

bool json_header_scanner::take(char wanted, const char* what) {
    if (!at(wanted))
        return fail(what);
    ++at_;
    return true;
}

bool json_header_scanner::scan_header() {
    skip_space();
    if (!take('{', "expected '{'"))
        return false;
    bool is_first = true;
    bool at_end = false;
    std::string_view key;
    while (next_key(is_first, key, at_end)) {
        if (at_end) {
            skip_space();
            return at_ == last_ || fail("expected nothing after the header");
        }
        if (!scan_member(key))
            return false;
    }
    return false;
}

bool json_header_scanner::next_key(bool& is_first, std::string_view& key, bool& at_end) {
    skip_space();
    if (at('}')) {
        ++at_;
        at_end = true;
        return true;
    }
    if (!is_first) {
        if (!take(',', "expected ',' or '}'"))
            return false;
        skip_space();
    }
    is_first = false;
    if (!at('"'))
        return fail("expected a quoted key");
    if (take_letter_key(key))
        return true;
    if (!scan_string(key))
        return false;
    skip_space();
    if (!take(':', "expected ':'"))
        return false;
    skip_space();
    return true;
}

// `"x":` and no space behind it: nearly all keys of a send by code 310.
inline bool json_header_scanner::take_letter_key(std::string_view& key) {
    constexpr std::ptrdiff_t key_bytes = 4;
    if (last_ - at_ <= key_bytes || at_[2] != '"' || at_[3] != ':' || at_[1] < 'a' || at_[1] > 'z')
        return false;
    key = {at_ + 1, 1};
    at_ += key_bytes;
    skip_space();
    return true;
}

bool json_header_scanner::scan_member(std::string_view key) {
    switch (key.size()) {
    case 4:
        if (key == "code")
            return scan_int32("code must be a 32-bit integer", into_.code_);
        if (key == "flag")
            return scan_int32("flag must be a 32-bit integer", into_.flag_);
        break;
    case 6:
        if (key == "opaque")
            return scan_int32("opaque must be a 32-bit integer", into_.opaque_);
        if (key == "remark")
            return scan_remark();
        break;
    case 7:
        if (key == "version")
            return scan_int32("version must be a 32-bit integer", into_.version_);
        break;
    case 8:
        if (key == "language")
            return scan_language();
        break;
    case 9:
        if (key == "extFields")
            return scan_fields();
        break;
    default:
        break;
    }
    return skip_value(1);
}

bool json_header_scanner::scan_fields() {
    if (at('n'))
        return scan_word("null");
    if (!take('{', "extFields must be an object or null"))
        return false;
    bool is_first = true;
    bool at_end = false;
    std::string_view name;
    while (next_key(is_first, name, at_end)) {
        if (at_end)
            return true;
        if (!scan_field(name))
            return false;
    }
    return false;
}

bool json_header_scanner::scan_field(std::string_view name) {
    if (into_.fields_.size() == limits::max_field_count)
        return fail("too many extFields", errc::too_large);
    std::string_view value;
    if (at_ == last_)
        return fail("the header ends early");
    switch (*at_) {
    case '"':
        if (!scan_string(value))
            return false;
        break;
    case 't':
        value = "true";
        if (!scan_word(value))
            return false;
        break;
    case 'f':
        value = "false";
        if (!scan_word(value))
            return false;
        break;
    case 'n':
        return scan_word("null");
    case '{':
    case '[':
        // No client sends them; a header has no use for them.
        return skip_value(2);
    default:
        if (!scan_number(value))
            return false;
        break;
    }
    into_.fields_.push_back({name, value});
    return true;
}

bool json_header_scanner::scan_language() {
    std::string_view value;
    if (at('"')) {
        if (!scan_string(value))
            return false;
        into_.language_ = language_named(value);
        return true;
    }
    into_.language_ = language::unknown;
    if (at('-') || (at_ != last_ && is_digit(*at_))) {
        std::int64_t ordinal = 0;
        if (!scan_number(value))
            return false;
        if (parse_field(value, ordinal))
            into_.language_ = language_numbered(ordinal);
        return true;
    }
    return skip_value(1);
}

bool json_header_scanner::scan_remark() {
    if (at('"'))
        return scan_string(into_.remark_);
    return skip_value(1);
}

bool json_header_scanner::scan_int32(const char* complaint, std::int32_t& to) {
    if (at('n'))
        return scan_word("null");
    std::string_view text;
    // A number as a text is taken too: fastjson does.
    const char* const begin = at_;
    if (!(at('"') ? scan_string(text) : scan_number(text)))
        return false;
    if (parse_field(text, to))
        return true;
    at_ = begin;
    return fail(complaint);
}

bool json_header_scanner::scan_number(std::string_view& raw) {
    const char* const begin = at_;
    const auto digits = [&] {
        if (at_ == last_ || !is_digit(*at_))
            return false;
        while (at_ != last_ && is_digit(*at_))
            ++at_;
        return true;
    };
    if (at('-'))
        ++at_;
    if (at('0'))
        ++at_;
    else if (!digits())
        return fail("expected a value");
    if (at('.')) {
        ++at_;
        if (!digits())
            return fail("expected digits after '.'");
    }
    if (at('e') || at('E')) {
        ++at_;
        if (at('+') || at('-'))
            ++at_;
        if (!digits())
            return fail("expected digits in the exponent");
    }
    raw = {begin, static_cast<std::size_t>(at_ - begin)};
    return true;
}

bool json_header_scanner::scan_word(std::string_view word) {
    if (static_cast<std::size_t>(last_ - at_) < word.size() || std::string_view{at_, word.size()} != word)
        return fail("expected a value");
    at_ += word.size();
    return true;
}

bool json_header_scanner::skip_value(std::size_t depth) {
    if (at_ == last_)
        return fail("the header ends early");
    std::string_view ignored;
    switch (*at_) {
    case '"':
        return scan_string(ignored);
    case 't':
        return scan_word("true");
    case 'f':
        return scan_word("false");
    case 'n':
        return scan_word("null");
    case '{':
    case '[':
        if (depth == limits::max_json_depth)
            return fail("nested too deeply", errc::too_large);
        return *at_++ == '{' ? skip_members(depth + 1) : skip_elements(depth + 1);
    default:
        return scan_number(ignored);
    }
}

bool json_header_scanner::skip_members(std::size_t depth) {
    bool is_first = true;
    bool at_end = false;
    std::string_view key;
    while (next_key(is_first, key, at_end)) {
        if (at_end)
            return true;
        if (!skip_value(depth))
            return false;
    }
    return false;
}

bool json_header_scanner::skip_elements(std::size_t depth) {
    skip_space();
    if (at(']')) {
        ++at_;
        return true;
    }
    while (skip_value(depth)) {
        skip_space();
        if (at(']')) {
            ++at_;
            return true;
        }
        if (!take(',', "expected ',' or ']'"))
            return false;
        skip_space();
    }
    return false;
}

} // namespace holdfast::protocol
