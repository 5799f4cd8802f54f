// The table of settings, written out for people.
#include "config/settings.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace holdfast::config {

namespace {

constexpr std::string_view introduction =
    "A config file has one `key = value` a line; `#` starts a comment. Each key may also be given on the "
    "command "
    "line as --key=value, which overrides the file. Keys that RocketMQ has are spelt as RocketMQ spells "
    "them. "
    "Unknown keys and impossible values are refused; keys of RocketMQ without a meaning here give a warning.";

// Breaks `text` at blanks, each line indented.
std::string wrapped(std::string_view text, std::size_t indent, std::size_t width) {
    const std::size_t room = std::max<std::size_t>(width, indent + 20) - indent;
    std::string lines;
    while (!text.empty()) {
        auto end = text.size();
        if (end > room) {
            end = text.rfind(' ', room);
            if (end == std::string_view::npos || end == 0)
                end = std::min(text.find(' '), text.size());
        }
        lines += fmt::format("{:{}}{}\n", "", indent, text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return lines;
}

std::string default_of(const setting& each) {
    return each.show(node_config{});
}

} // namespace

std::string settings_help(std::size_t width) {
    auto text = wrapped(introduction, 0, width);
    std::string_view section;
    for (const auto& each : all_settings()) {
        if (each.section != section) {
            section = each.section;
            text += fmt::format("\n{}\n", section);
        }
        const auto value = default_of(each);
        text += fmt::format("  {}{}{}\n", each.key, value.empty() ? "" : " = ", value);
        text += wrapped(each.meaning, 6, width);
        text += wrapped(fmt::format("Allowed: {}.", each.allowed), 6, width);
    }
    return text;
}

std::string settings_markdown() {
    auto text =
        fmt::format("# Configuration\n\nThis page is printed by `holdfast help config --markdown`.\n\n{}\n",
                    introduction);
    std::string_view section;
    for (const auto& each : all_settings()) {
        if (each.section != section) {
            section = each.section;
            text +=
                fmt::format("\n## {}\n\n| key | default | meaning | allowed |\n|---|---|---|---|\n", section);
        }
        const auto value = default_of(each);
        text += fmt::format("| `{}` | {} | {} | {} |\n", each.key,
                            value.empty() ? "" : fmt::format("`{}`", value), each.meaning, each.allowed);
    }
    return text;
}

} // namespace holdfast::config
