// Reads a node's configuration: one named file of `key = value` lines, overridden by `--key=value` words.
//
// Nothing else is looked at: no environment, no file that was not named. Whatever is not understood is
// refused in words that name the place, the key and what is allowed. A key that RocketMQ knows and that has
// no meaning here gives a warning that says why, so that a broker.conf can be brought along; one whose silent
// loss would be dangerous (aclEnable = true, brokerRole = SLAVE) is refused.
//
// File format: one `key = value` a line; `#` starts a comment anywhere; blank lines, blanks around key and
// value and CRLF line ends are fine. Sizes are bytes, or a number with K, M or G (of 1024). Times are in the
// unit that RocketMQ gave the key.
#pragma once

#include "base/result.hpp"
#include "config/node_config.hpp"

#include <filesystem>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::config {

struct loaded_config {
    node_config values;
    std::vector<std::string> warnings; // each a whole sentence with its place, for the log
};

// `file`: may be absent, then everything not in `overrides` has its default. `overrides`: command-line words,
// each `--key=value` or `--key` followed by its value. Errors: invalid_argument (what is wrong is in the
// message, with file and line), not_found (the file can't be read).
result<loaded_config> load(const std::optional<std::filesystem::path>& file,
                           const std::vector<std::string>& overrides);

// The same from a stream; `name` stands for the file in messages.
result<loaded_config> load(std::istream& text, std::string_view name,
                           const std::vector<std::string>& overrides);

} // namespace holdfast::config
