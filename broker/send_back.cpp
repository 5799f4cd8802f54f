#include "broker/send_back.hpp"

#include "broker/delivery_records.hpp"
#include "protocol/message_id.hpp"
#include "protocol/names.hpp"
#include "protocol/properties.hpp"
#include "protocol/tags.hpp"

#include <algorithm>
#include <limits>

namespace holdfast::broker {
namespace {

namespace property = protocol::property;

// The first back-off is level 3: 10 seconds with RocketMQ's levels.
constexpr std::int32_t first_retry_level = 3;

std::string with_origin(const protocol::stored_message_view& message, std::int32_t level,
                        const protocol::ipv4_host& store_host) {
    auto text = std::string{message.properties};
    for (const auto name :
         {property::delay, property::timer_delay_s, property::timer_delay_ms, property::timer_deliver_ms})
        if (protocol::find_property(text, name))
            text = protocol::without_property(text, name);
    if (!message.property(property::retry_topic))
        protocol::append_property(text, property::retry_topic, message.topic);
    if (!message.property(property::origin_message_id))
        protocol::append_property(
            text, property::origin_message_id,
            protocol::make_message_id(store_host,
                                      log_position{static_cast<std::uint64_t>(message.physical_offset)}));
    if (level > 0)
        protocol::append_property(text, property::delay, std::to_string(level));
    return text;
}

} // namespace

send_back_plan plan_send_back(const protocol::stored_message_view& message, const group_config& group,
                              const send_back_request& request) {
    const auto group_limit = static_cast<std::int32_t>(
        std::min<std::uint32_t>(group.retry_max_times, std::numeric_limits<std::int32_t>::max()));
    const auto asked = request.max_reconsume_times.value_or(-1);
    const auto limit = asked >= 0 ? asked : group_limit;
    send_back_plan plan;
    plan.reconsume_times = message.reconsume_times < std::numeric_limits<std::int32_t>::max()
                               ? message.reconsume_times + 1
                               : message.reconsume_times;
    if (request.delay_level < 0 || message.reconsume_times >= limit) {
        plan.topic = protocol::dead_letter_topic_of(group.name);
        return plan;
    }
    plan.topic = protocol::retry_topic_of(group.name);
    plan.level = request.delay_level > 0
                     ? request.delay_level
                     : first_retry_level + std::min(message.reconsume_times, std::int32_t{1000});
    return plan;
}

result<void> add_sent_back(const protocol::stored_message_view& message, const send_back_plan& plan,
                           const topic_config& topic, std::uint32_t spread, const delay_rules& rules,
                           const protocol::ipv4_host& store_host, entry_draft& draft) {
    const bool delayed = plan.level > 0 && !rules.levels.empty();
    const auto level = delayed ? std::min(plan.level, static_cast<std::int32_t>(rules.levels.size())) : 0;
    // Where nothing was left for the origin, it goes on without: it must not hold up its group.
    const auto origin = with_origin(message, level, store_host);
    const bool fits = origin.size() <= protocol::limits::max_properties_bytes;
    protocol::stored_message copy;
    copy.queue = queue_number{spread % std::max(topic.write_queues, 1U)};
    copy.flag = message.flag;
    copy.sys_flag = message.sys_flag;
    copy.born = message.born;
    copy.born_host = message.born_host.to_ipv4();
    copy.store_host = store_host;
    copy.reconsume_times = plan.reconsume_times;
    copy.prepared_transaction = log_position{static_cast<std::uint64_t>(message.prepared_transaction_offset)};
    copy.body = message.body;
    copy.topic = topic.name;
    copy.properties = fits ? std::string_view{origin} : message.properties;
    if (auto good = copy.check(); !good.ok())
        return error{errc::invalid_argument, good.failure().message};
    const auto tags = protocol::java_hash(message.property(property::tags).value_or(""));
    const auto size = copy.size();
    const auto to =
        draft.add_record(delayed ? command_kind::delayed : command_kind::message, {topic.id, copy.queue},
                         tags, size + (delayed ? delayed_trailer_bytes : 0));
    protocol::write_stored_message(to.data(), copy);
    if (delayed) {
        const std::chrono::milliseconds delay{rules.levels[static_cast<std::size_t>(level - 1)]};
        store_little(to.data() + size, std::int64_t{-delay.count()});
    }
    return {};
}

} // namespace holdfast::broker
