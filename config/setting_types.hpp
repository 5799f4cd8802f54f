// The kinds of rows that the table of settings is made of: each builder ties one key to one member of
// node_config.
#pragma once

#include "config/parse_value.hpp"
#include "config/peers.hpp"
#include "config/settings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace holdfast::config {

template <class T>
using member = T node_config::*;

// Where a setting stands in the help, what it is called and what it means.
struct label {
    std::string_view section;
    std::string_view key;
    std::string_view meaning;
};

// Ties a parse function (text -> optional<T>) and a show function (T -> text) to one member.
template <class T, class Parse, class Show>
inline setting row(label about, member<T> where, std::string allowed, Parse parse, Show show) {
    auto assign = [where, parse, allowed](node_config& target, std::string_view text) -> result<void> {
        auto value = parse(text);
        if (!value)
            return error{errc::invalid_argument, allowed};
        target.*where = std::move(*value);
        return {};
    };
    auto text_of = [where, show](const node_config& source) -> std::string { return show(source.*where); };
    return {about.section, about.key, about.meaning, allowed, std::move(assign), std::move(text_of)};
}

template <class T>
inline setting number(label about, member<T> where, std::uint64_t least, std::uint64_t most) {
    return row(
        about, where, fmt::format("a whole number from {} to {}", least, most),
        [=](std::string_view text) -> std::optional<T> {
            const auto value = parse_number(text);
            if (!value || *value < least || *value > most)
                return std::nullopt;
            return static_cast<T>(*value);
        },
        [](T value) { return std::to_string(value); });
}

template <class Duration>
inline setting duration(label about, member<Duration> where, std::uint64_t least, std::uint64_t most) {
    return row(
        about, where, fmt::format("a whole number from {} to {}", least, most),
        [=](std::string_view text) -> std::optional<Duration> {
            const auto value = parse_number(text);
            if (!value || *value < least || *value > most)
                return std::nullopt;
            return Duration{static_cast<typename Duration::rep>(*value)};
        },
        [](Duration value) { return std::to_string(value.count()); });
}

// `multiple_of`: what the value must be a multiple of.
template <class T>
inline setting bytes(label about, member<T> where, std::uint64_t least, std::uint64_t most,
                     std::uint64_t multiple_of = 1) {
    auto allowed =
        fmt::format("bytes, or a number with K, M or G, from {} to {}", show_bytes(least), show_bytes(most));
    if (multiple_of != 1)
        allowed += ", a multiple of " + show_bytes(multiple_of);
    return row(
        about, where, allowed,
        [=](std::string_view text) -> std::optional<T> {
            const auto value = parse_bytes(text);
            if (!value || *value < least || *value > most || *value % multiple_of != 0)
                return std::nullopt;
            return static_cast<T>(*value);
        },
        [](T value) { return show_bytes(value); });
}

inline setting flag(label about, member<bool> where) {
    return row(about, where, "true or false", parse_flag,
               [](bool value) -> std::string { return value ? "true" : "false"; });
}

// One word of a list; the index in `words` is the enumerator's value.
template <class Enum, std::size_t Count>
inline setting choice(label about, member<Enum> where, std::array<std::string_view, Count> words) {
    std::string allowed{words[0]};
    for (std::size_t index = 1; index < Count; ++index)
        allowed += (index + 1 == Count ? " or " : ", ") + std::string{words[index]};
    return row(
        about, where, allowed,
        [words](std::string_view text) -> std::optional<Enum> {
            const auto* const found = std::find(words.begin(), words.end(), text);
            if (found == words.end())
                return std::nullopt;
            return static_cast<Enum>(found - words.begin());
        },
        [words](Enum value) { return std::string{words.at(static_cast<std::size_t>(value))}; });
}

// Letters, digits, '_', '-' (and '%', '|' are left to topics): what may stand in a broker's or cluster's
// name, which are also names of topics (protocol reference 6.2).
inline setting name(label about, member<std::string> where) {
    return row(
        about, where, "1 to 127 letters, digits, '_' or '-'",
        [](std::string_view text) -> std::optional<std::string> {
            if (!is_plain_name(text))
                return std::nullopt;
            return std::string{text};
        },
        [](const std::string& value) { return value; });
}

inline setting ipv4(label about, member<std::string> where) {
    return row(
        about, where, "an IPv4 address such as 10.0.0.7",
        [](std::string_view text) -> std::optional<std::string> {
            if (!is_ipv4(text))
                return std::nullopt;
            return std::string{text};
        },
        [](const std::string& value) { return value; });
}

inline setting path(label about, member<std::filesystem::path> where) {
    return row(
        about, where, "a path",
        [](std::string_view text) -> std::optional<std::filesystem::path> {
            if (text.empty())
                return std::nullopt;
            return std::filesystem::path{text};
        },
        [](const std::filesystem::path& value) { return value.string(); });
}

template <class T, class Parse, class Show>
inline setting list(label about, member<T> where, std::string allowed, Parse parse, Show show) {
    return row(about, where, std::move(allowed), parse, show);
}

} // namespace holdfast::config
