#include "config/parse_value.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <limits>

namespace holdfast::config {

namespace {

std::string lower(std::string_view text) {
    std::string result{text};
    std::transform(result.begin(), result.end(), result.begin(),
                   [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
    return result;
}

// The parts between single separators; empty parts are kept.
std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> parts;
    for (;;) {
        const auto end = text.find(separator);
        parts.push_back(text.substr(0, end));
        if (end == std::string_view::npos)
            return parts;
        text.remove_prefix(end + 1);
    }
}

std::string_view trim(std::string_view text) {
    const auto first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos)
        return {};
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

struct unit {
    char letter;
    std::uint64_t factor;
};
constexpr std::array byte_units{unit{'t', 1ULL << 40U}, unit{'g', 1ULL << 30U}, unit{'m', 1ULL << 20U},
                                unit{'k', 1ULL << 10U}};
constexpr std::array time_units{unit{'d', 86'400}, unit{'h', 3'600}, unit{'m', 60}, unit{'s', 1}};

std::optional<std::uint64_t> times(std::optional<std::uint64_t> number, std::uint64_t factor) {
    if (!number || *number > std::numeric_limits<std::uint64_t>::max() / factor)
        return std::nullopt;
    return *number * factor;
}

} // namespace

std::optional<std::uint64_t> parse_number(std::string_view text) {
    std::uint64_t number = 0;
    const auto* end = text.data() + text.size();
    const auto [stopped, failure] = std::from_chars(text.data(), end, number);
    if (failure != std::errc{} || stopped != end)
        return std::nullopt;
    return number;
}

std::optional<std::uint64_t> parse_bytes(std::string_view text) {
    const auto digits_end = std::min(text.find_first_not_of("0123456789"), text.size());
    const auto number = parse_number(text.substr(0, digits_end));
    const auto suffix = lower(trim(text.substr(digits_end)));
    if (suffix.empty() || suffix == "b")
        return number;
    for (const auto& [letter, factor] : byte_units)
        if (const std::string short_name(1, letter);
            suffix == short_name || suffix == short_name + "b" || suffix == short_name + "ib")
            return times(number, factor);
    return std::nullopt;
}

std::string show_bytes(std::uint64_t bytes) {
    for (const auto& [letter, factor] : byte_units)
        if (bytes != 0 && bytes % factor == 0)
            return fmt::format("{}{}", bytes / factor, static_cast<char>(std::toupper(letter)));
    return std::to_string(bytes);
}

std::optional<bool> parse_flag(std::string_view text) {
    const auto word = lower(text);
    if (word == "true")
        return true;
    if (word == "false")
        return false;
    return std::nullopt;
}

std::optional<std::vector<std::uint32_t>> parse_hours(std::string_view text) {
    std::vector<std::uint32_t> hours;
    for (const auto part : split(text, ';')) {
        const auto hour = parse_number(trim(part));
        if (!hour || *hour > 23)
            return std::nullopt;
        hours.push_back(static_cast<std::uint32_t>(*hour));
    }
    return hours;
}

std::string show_hours(const std::vector<std::uint32_t>& hours) {
    std::string text;
    for (const auto hour : hours)
        text += fmt::format("{}{:02}", text.empty() ? "" : ";", hour);
    return text;
}

std::optional<std::vector<std::chrono::seconds>> parse_delay_levels(std::string_view text) {
    constexpr std::uint64_t longest_s = 365 * 86'400;
    std::vector<std::chrono::seconds> levels;
    for (const auto part : split(text, ' ')) {
        if (part.empty())
            continue;
        const auto* const unit_of = std::find_if(time_units.begin(), time_units.end(), [&](const unit& each) {
            return each.letter == part.back();
        });
        if (unit_of == time_units.end())
            return std::nullopt;
        const auto seconds = times(parse_number(part.substr(0, part.size() - 1)), unit_of->factor);
        if (!seconds || *seconds > longest_s)
            return std::nullopt;
        levels.emplace_back(static_cast<std::int64_t>(*seconds));
    }
    if (levels.empty() || levels.size() > 64)
        return std::nullopt;
    return levels;
}

std::string show_delay_levels(const std::vector<std::chrono::seconds>& levels) {
    std::string text;
    for (const auto level : levels) {
        const auto seconds = static_cast<std::uint64_t>(level.count());
        const auto* const unit_of = std::find_if(time_units.begin(), time_units.end(), [&](const unit& each) {
            return each.factor == 1 || (seconds != 0 && seconds % each.factor == 0);
        });
        text += fmt::format("{}{}{}", text.empty() ? "" : " ", seconds / unit_of->factor, unit_of->letter);
    }
    return text;
}

std::optional<fault_injection> parse_faults(std::string_view text) {
    fault_injection faults;
    for (const auto untrimmed : split(text, ',')) {
        const auto part = trim(untrimmed);
        const auto equals = std::min(part.find('='), part.size());
        const auto name = part.substr(0, equals);
        const auto number = parse_number(part.substr(std::min(equals + 1, part.size())));
        if (part == "sync:ignore")
            faults.sync_ignore = true;
        else if (part == "space:full")
            faults.space_full = true;
        else if (name == "sync:fail-after" && number)
            faults.sync_fail_after = number;
        else if (name == "write:fail-after" && number)
            faults.write_fail_after = number;
        else
            return std::nullopt;
    }
    return faults;
}

std::string show_faults(const fault_injection& faults) {
    std::string text;
    const auto add = [&](const std::string& fault) { text += (text.empty() ? "" : ",") + fault; };
    if (faults.sync_fail_after)
        add("sync:fail-after=" + std::to_string(*faults.sync_fail_after));
    if (faults.sync_ignore)
        add("sync:ignore");
    if (faults.write_fail_after)
        add("write:fail-after=" + std::to_string(*faults.write_fail_after));
    if (faults.space_full)
        add("space:full");
    return text;
}

bool is_ipv4(std::string_view text) {
    const auto parts = split(text, '.');
    return parts.size() == 4 && std::all_of(parts.begin(), parts.end(), [](std::string_view part) {
               const auto number = parse_number(part);
               return number && *number <= 255 && part.size() <= 3;
           });
}

} // namespace holdfast::config
