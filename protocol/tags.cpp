#include "protocol/tags.hpp"

#include "protocol/utf8.hpp"

#include <algorithm>

namespace holdfast::protocol {

namespace {

constexpr std::string_view any_tag = "*";
constexpr std::string_view alternative = "||";

// As Java's String.trim: everything up to the space.
std::string_view trimmed(std::string_view text) {
    const auto is_blank = [](char character) { return static_cast<std::uint8_t>(character) <= ' '; };
    while (!text.empty() && is_blank(text.front()))
        text.remove_prefix(1);
    while (!text.empty() && is_blank(text.back()))
        text.remove_suffix(1);
    return text;
}

} // namespace

std::int32_t java_hash(std::string_view utf8) {
    std::uint32_t hash = 0;
    const auto add = [&](std::uint32_t unit) { hash = hash * 31 + unit; };
    while (!utf8.empty()) {
        const auto byte = static_cast<std::uint8_t>(utf8.front());
        if (byte < 0x80) {
            add(byte);
            utf8.remove_prefix(1);
            continue;
        }
        const decoded_character decoded = decode_utf8(utf8);
        utf8.remove_prefix(decoded.size);
        if (decoded.code_point < 0x10000) {
            add(decoded.code_point);
        } else {
            add(0xD800U + ((decoded.code_point - 0x10000) >> 10U));
            add(0xDC00U + ((decoded.code_point - 0x10000) & 0x3FFU));
        }
    }
    return static_cast<std::int32_t>(hash);
}

std::int64_t tags_code(std::string_view tag) {
    return tag.empty() ? 0 : std::int64_t{java_hash(tag)};
}

result<tag_filter> tag_filter::parse(std::string_view expression) {
    tag_filter filter;
    if (expression.empty() || expression == any_tag)
        return filter;
    std::string_view rest = expression;
    while (true) {
        const std::size_t size = std::min(rest.find(alternative), rest.size());
        const std::string_view tag = trimmed(rest.substr(0, size));
        if (!tag.empty()) {
            filter.tags_.emplace_back(tag);
            filter.hashes_.push_back(java_hash(tag));
        }
        if (size == rest.size())
            break;
        rest.remove_prefix(size + alternative.size());
    }
    if (filter.tags_.empty())
        return error{errc::invalid_argument, "the subscription \"" + std::string{clip_utf8(expression, 64)} +
                                                 "\" names no tag; use * or TagA || TagB"};
    return filter;
}

bool tag_filter::matches_tag(std::string_view tag) const {
    return selects_all() || std::find(tags_.begin(), tags_.end(), tag) != tags_.end();
}

} // namespace holdfast::protocol
