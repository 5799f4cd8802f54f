#include "broker/send_properties.hpp"

#include "protocol/properties.hpp"
#include "protocol/tags.hpp"

#include <algorithm>
#include <charconv>

namespace holdfast::broker {
namespace {

namespace property = protocol::property;

struct found_times {
    std::string_view level;
    std::string_view delay_s;
    std::string_view delay_ms;
    std::string_view deliver_ms;
    std::string_view immunity_s;

    [[nodiscard]] bool any() const {
        return !(level.empty() && delay_s.empty() && delay_ms.empty() && deliver_ms.empty() &&
                 immunity_s.empty());
    }
};

void visit(const protocol::message_property& found, send_properties& meant, found_times& times,
           bool& has_wait) {
    const auto& [name, value] = found;
    switch (name.front()) {
    case 'T':
        if (name == property::tags)
            meant.tags = protocol::java_hash(value);
        else if (name == property::transaction_message)
            meant.transactional = value == "true";
        else if (name == property::timer_delay_s)
            times.delay_s = value;
        else if (name == property::timer_delay_ms)
            times.delay_ms = value;
        else if (name == property::timer_deliver_ms)
            times.deliver_ms = value;
        break;
    case 'U':
        if (name == property::unique_key)
            meant.unique_key = value;
        break;
    case 'P':
        if (name == property::producer_group)
            meant.producer_group = value;
        break;
    case 'D':
        if (name == property::delay)
            times.level = value;
        break;
    case 'C':
        if (name == property::check_immunity_time_s)
            times.immunity_s = value;
        break;
    case 'W':
        has_wait = has_wait || name == property::wait;
        break;
    default:
        break;
    }
}

// WAIT speaks to the broker, not to consumers. Group commit makes waiting free, so every message waits.
std::string_view without_wait(std::string_view properties, std::string& scratch) {
    scratch.clear();
    for (const auto& [name, value] : protocol::properties_view{properties}) {
        if (name == property::wait)
            continue;
        scratch.append(name).push_back(protocol::name_separator);
        scratch.append(value).push_back(protocol::property_separator);
    }
    return scratch;
}

result<std::int64_t> number(std::string_view name, std::string_view text) {
    std::int64_t value = 0;
    const auto* const end = text.data() + text.size();
    const auto [rest, failed] = std::from_chars(text.data(), end, value);
    if (failed != std::errc{} || rest != end)
        return error{errc::invalid_argument, "the property " + std::string{name} + " is \"" +
                                                 std::string{text} + "\", which is no whole number"};
    return value;
}

result<void> set_level(std::string_view text, const delay_rules& rules, send_properties& meant) {
    const auto level = number(property::delay, text);
    if (!level.ok())
        return level.failure();
    if (*level <= 0 || rules.levels.empty())
        return {};
    const auto index = std::min<std::int64_t>(*level, static_cast<std::int64_t>(rules.levels.size())) - 1;
    meant.due = -std::chrono::milliseconds{rules.levels[static_cast<std::size_t>(index)]}.count();
    return {};
}

result<void> set_timer(const found_times& times, const delay_rules& rules, timestamp_ms now,
                       send_properties& meant) {
    const auto name = !times.delay_s.empty()    ? property::timer_delay_s
                      : !times.delay_ms.empty() ? property::timer_delay_ms
                                                : property::timer_deliver_ms;
    const auto text = !times.delay_s.empty()    ? times.delay_s
                      : !times.delay_ms.empty() ? times.delay_ms
                                                : times.deliver_ms;
    const auto value = number(name, text);
    if (!value.ok())
        return value.failure();
    const auto longest = rules.longest.count();
    auto delay_ms = *value;
    if (name == property::timer_delay_s)
        delay_ms = *value > longest / 1000 ? longest + 1 : *value * 1000;
    else if (name == property::timer_deliver_ms)
        delay_ms = *value <= 0 ? 0 : *value - now.value();
    if (delay_ms > longest)
        return error{errc::invalid_argument,
                     "the property " + std::string{name} + " asks for a delivery more than " +
                         std::to_string(longest / 86'400'000) + " days ahead, the most this broker keeps"};
    if (delay_ms > 0) {
        meant.due = now.value() + delay_ms;
        meant.by_timer = true;
    }
    return {};
}

} // namespace

result<send_properties> scan_send_properties(std::string_view properties, const delay_rules& rules,
                                             timestamp_ms now, std::string& scratch) {
    send_properties meant;
    meant.text = properties;
    found_times times;
    bool has_wait = false;
    for (const auto& found : protocol::properties_view{properties})
        visit(found, meant, times, has_wait);
    if (times.any()) {
        result<void> understood;
        if (!times.immunity_s.empty()) {
            const auto immunity = number(property::check_immunity_time_s, times.immunity_s);
            if (!immunity.ok())
                return immunity.failure();
            meant.immunity_ms = static_cast<std::int32_t>(std::clamp<std::int64_t>(*immunity, -1, 2'000'000) *
                                                          (*immunity < 0 ? 1 : 1000));
        }
        if (!times.level.empty())
            understood = set_level(times.level, rules, meant);
        if (understood.ok() && !meant.due &&
            !(times.delay_s.empty() && times.delay_ms.empty() && times.deliver_ms.empty()))
            understood = set_timer(times, rules, now, meant);
        if (!understood.ok())
            return understood.failure();
    }
    if (has_wait) {
        // The views move with the text.
        const auto again = without_wait(properties, scratch);
        meant.text = again;
        if (!meant.producer_group.empty())
            meant.producer_group = protocol::find_property(again, property::producer_group).value_or("");
        if (!meant.unique_key.empty())
            meant.unique_key = protocol::find_property(again, property::unique_key).value_or("");
    }
    return meant;
}

} // namespace holdfast::broker
