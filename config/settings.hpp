// The one table of settings: key, meaning, limits, and how its text becomes a member of node_config.
// Parsing, `holdfast serve --help`, `holdfast help config` and docs/configuration.md all come from it.
#pragma once

#include "base/result.hpp"
#include "config/node_config.hpp"

#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace holdfast::config {

struct setting {
    std::string_view section; // heading in the help
    std::string_view key;     // RocketMQ's own where RocketMQ has the setting
    std::string_view meaning; // a sentence or two, with the unit
    std::string allowed;      // "a whole number from 1 to 65535"
    // Sets the member from its text. The error says only what is allowed; the caller knows the place.
    std::function<result<void>(node_config&, std::string_view)> assign;
    // The member's text, as it could stand in a file.
    std::function<std::string(const node_config&)> show;
};

[[nodiscard]] std::span<const setting> all_settings();

// nullptr when there is none of that name. Keys are case-sensitive; older spellings of RocketMQ's are found.
[[nodiscard]] const setting* find_setting(std::string_view key);

// The key that was probably meant by `misspelt`; empty when nothing is near.
[[nodiscard]] std::string_view nearest_key(std::string_view misspelt);

// A key of RocketMQ's broker.conf that has no meaning here.
struct foreign_key {
    std::string_view key;
    std::string_view reason;           // why it has no meaning, as half a sentence
    std::string_view refused_unless{}; // if not empty: only these words (separated by '|') are harmless
};

// nullptr when RocketMQ has no such key or it is one of our settings.
[[nodiscard]] const foreign_key* find_foreign_key(std::string_view key);
[[nodiscard]] std::span<const foreign_key> all_foreign_keys();

// Every setting with its meaning, limits and default, for people at a terminal of `width` columns.
[[nodiscard]] std::string settings_help(std::size_t width = 100);

// The same as a Markdown page (docs/configuration.md).
[[nodiscard]] std::string settings_markdown();

} // namespace holdfast::config
