#include "cli/time_words.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>
#include <iomanip>
#include <sstream>

namespace holdfast::cli {

namespace {

constexpr std::int64_t a_second = 1000;
constexpr std::array<std::pair<char, std::int64_t>, 4> units{
    {{'s', a_second}, {'m', 60 * a_second}, {'h', 3600 * a_second}, {'d', 24 * 3600 * a_second}}};

// More digits than any time has are no time.
constexpr std::size_t most_digits = 15;

} // namespace

result<timestamp_ms> parse_time(const std::string& text, timestamp_ms now) {
    const error wrong{errc::invalid_argument,
                      "'" + text +
                          "' is no time: write 2026-11-23 18:00 (local time), 10m (ago; also s, h, d), or "
                          "milliseconds since 1970"};
    std::int64_t number = 0;
    const auto* const last = text.data() + text.size();
    const auto [rest, failed] = std::from_chars(text.data(), last, number);
    if (failed == std::errc{} && number >= 0 && text.size() <= most_digits) {
        if (rest == last)
            return timestamp_ms{number};
        const auto* const unit =
            std::find_if(units.begin(), units.end(), [&](const auto& each) { return each.first == *rest; });
        if (rest + 1 == last && unit != units.end()) {
            if (number > now.value() / unit->second)
                return wrong;
            return timestamp_ms{now.value() - number * unit->second};
        }
    }
    for (const char* const format :
         {"%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d"}) {
        std::istringstream in{text};
        std::tm fields{};
        in >> std::get_time(&fields, format);
        if (in.fail() || in.peek() != std::istringstream::traits_type::eof())
            continue;
        fields.tm_isdst = -1;
        const auto seconds = std::mktime(&fields);
        if (seconds >= 0)
            return timestamp_ms{std::int64_t{seconds} * a_second};
    }
    return wrong;
}

} // namespace holdfast::cli
