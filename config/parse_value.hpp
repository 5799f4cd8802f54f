// From the text of a value to its type, and back. Every function refuses what it does not understand to the
// last character ("10x", "1e3", "-1"); what is allowed is said by the setting, not here.
#pragma once

#include "config/node_config.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::config {

// "72". No sign, no blanks.
[[nodiscard]] std::optional<std::uint64_t> parse_number(std::string_view text);

// "4194304", "4M", "4MiB", "1g": K, M, G and T are powers of 1024, in either case, "B" and "iB" may follow.
[[nodiscard]] std::optional<std::uint64_t> parse_bytes(std::string_view text);
// The largest unit that leaves a whole number: "4M", "1000".
[[nodiscard]] std::string show_bytes(std::uint64_t bytes);

// "true" or "false", in any case.
[[nodiscard]] std::optional<bool> parse_flag(std::string_view text);

// "04", "04;16": hours of the day.
[[nodiscard]] std::optional<std::vector<std::uint32_t>> parse_hours(std::string_view text);
[[nodiscard]] std::string show_hours(const std::vector<std::uint32_t>& hours);

// "1s 5s 1m 2h 1d": 1 to 64 levels.
[[nodiscard]] std::optional<std::vector<std::chrono::seconds>> parse_delay_levels(std::string_view text);
[[nodiscard]] std::string show_delay_levels(const std::vector<std::chrono::seconds>& levels);

// "sync:fail-after=10,space:full": see fault_injection.
[[nodiscard]] std::optional<fault_injection> parse_faults(std::string_view text);
[[nodiscard]] std::string show_faults(const fault_injection& faults);

// Whether it is the text of an IPv4 address, "10.0.0.7".
[[nodiscard]] bool is_ipv4(std::string_view text);

} // namespace holdfast::config
