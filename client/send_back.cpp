#include "client/send_back.hpp"

#include "protocol/names.hpp"
#include "protocol/properties.hpp"

#include <algorithm>
#include <array>

namespace holdfast::client {

namespace {

namespace property = protocol::property;

// Level 3 (10 s) for the first retry, as Java and the broker itself have it.
constexpr std::int32_t first_retry_level = 3;
constexpr std::int32_t default_max_reconsume_times = 16;

// Set anew below or by the broker, or not true of the copy: it is no half message and has its own delay.
constexpr std::array not_copied{property::delay,
                                property::timer_delay_s,
                                property::timer_delay_ms,
                                property::timer_deliver_ms,
                                property::transaction_message,
                                property::retry_topic,
                                property::origin_message_id,
                                property::reconsume_time,
                                property::max_reconsume_times,
                                property::real_topic,
                                property::real_queue_id,
                                property::cluster,
                                property::wait};

} // namespace

retry_copy make_retry_copy(const message_view& message, const send_back& how) {
    retry_copy copy{.topic = protocol::retry_topic_of(how.group),
                    .sys_flag = message.sys_flag() &
                                (protocol::sys_flag::compressed | protocol::sys_flag::compression_mask),
                    .reconsume_times = static_cast<std::int32_t>(message.reconsume_times()) + 1,
                    .max_reconsume_times = how.max_reconsume_times};
    for (const auto& [name, value] : message.properties())
        if (std::find(not_copied.begin(), not_copied.end(), name) == not_copied.end())
            protocol::append_property(copy.properties, name, value);
    protocol::append_property(copy.properties, property::retry_topic, message.topic());
    const auto origin = message.property(property::origin_message_id);
    protocol::append_property(copy.properties, property::origin_message_id,
                              origin ? std::string{*origin} : message.offset_message_id());
    if (how.level < 0) {
        // What was tried more often than allowed is what a broker puts there by itself.
        copy.max_reconsume_times = how.max_reconsume_times.value_or(default_max_reconsume_times);
        copy.reconsume_times = std::max(copy.reconsume_times, *copy.max_reconsume_times + 1);
    } else {
        const std::int32_t level = how.level > 0 ? how.level : first_retry_level + copy.reconsume_times - 1;
        protocol::append_property(copy.properties, property::delay, std::to_string(level));
    }
    return copy;
}

void ask_to_take_back(connection& broker, const message_view& message, const send_back& how,
                      std::chrono::milliseconds timeout, call_handler done) {
    const std::string id = message.message_id();
    ask(broker,
        protocol::consumer_send_message_back_request{.offset = message.position(),
                                                     .group = how.group,
                                                     .delay_level = how.level,
                                                     .origin_message_id = id,
                                                     .origin_topic = message.topic(),
                                                     .max_reconsume_times = how.max_reconsume_times,
                                                     .broker_name = how.broker_name},
        {}, timeout, std::move(done));
}

void send_retry_copy(const placed_queue& to, const message_view& message, const send_back& how,
                     std::chrono::milliseconds timeout, call_handler done) {
    const retry_copy copy = make_retry_copy(message, how);
    to.broker->start(std::make_shared<handled_call>(std::move(done)), in_flight::clock::now() + timeout,
                     [&](byte_buffer& out, const protocol::call& call) {
                         protocol::append_send_message(
                             out, call,
                             {.producer_group = protocol::client_inner_producer_group,
                              .topic = copy.topic,
                              .default_topic = protocol::auto_create_topic,
                              .default_topic_queue_count = 1,
                              .queue_id = static_cast<std::int32_t>(to.id.queue.value()),
                              .sys_flag = copy.sys_flag,
                              .born = message.born_at(),
                              .flag = message.flag(),
                              .properties = copy.properties,
                              .reconsume_times = copy.reconsume_times,
                              .max_reconsume_times = copy.max_reconsume_times,
                              .broker_name = to.id.broker_name,
                              .body = as_bytes(message.stored_body())});
                     });
}

} // namespace holdfast::client
