#include "broker/send_properties.hpp"

#include "protocol/properties.hpp"
#include "protocol/tags.hpp"

#include <algorithm>
#include <charconv>
#include <initializer_list>

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

struct found_waits {
    protocol::message_property last;
    int count = 0;
};

void visit(const protocol::message_property& found, send_properties& meant, found_times& times,
           found_waits& waits) {
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
        if (name == property::wait)
            waits = {found, waits.count + 1};
        break;
    default:
        break;
    }
}

// WAIT speaks to the broker, not to consumers. Group commit makes waiting free, so every message waits.
//
// The text without its one WAIT, in `scratch`; what `views` show of the text, they show there afterwards.
std::string_view without_wait(std::string_view properties, const protocol::message_property& wait,
                              std::string& scratch, std::initializer_list<std::string_view*> views) {
    const auto place = [&](std::string_view part) {
        return static_cast<std::size_t>(part.data() - properties.data());
    };
    const auto first = place(wait.name);
    const auto last = std::min(place(wait.value) + wait.value.size() + 1, properties.size());
    scratch.assign(properties.substr(0, first)).append(properties.substr(last));
    for (auto* const view : views)
        if (!view->empty()) {
            const auto at = place(*view);
            *view = std::string_view{scratch}.substr(at < first ? at : at - (last - first), view->size());
        }
    return scratch;
}

// Nobody says it twice, and whoever does gets no speed.
std::string_view without_waits(std::string_view properties, std::string& scratch, send_properties& meant) {
    scratch = protocol::without_property(properties, property::wait);
    meant.producer_group = protocol::find_property(scratch, property::producer_group).value_or("");
    meant.unique_key = protocol::find_property(scratch, property::unique_key).value_or("");
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
    found_waits waits;
    for (const auto& found : protocol::properties_view{properties})
        visit(found, meant, times, waits);
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
    if (waits.count == 1)
        meant.text =
            without_wait(properties, waits.last, scratch, {&meant.producer_group, &meant.unique_key});
    else if (waits.count > 1)
        meant.text = without_waits(properties, scratch, meant);
    return meant;
}

} // namespace holdfast::broker
