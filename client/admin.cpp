#include "client/admin.hpp"

#include "client/admin_engine.hpp"
#include "client/compression.hpp"
#include "client/message_view.hpp"
#include "protocol/admin_bodies.hpp"
#include "protocol/message_id.hpp"
#include "protocol/names.hpp"

#include <algorithm>
#include <limits>

namespace holdfast::client {

namespace {

constexpr std::int32_t most_queues = 1024;

stored_copy to_copy(const protocol::stored_message_view& record) {
    const message_view view{record};
    std::string body{view.stored_body()};
    if (view.compressed())
        if (auto inflated = inflate_text(body))
            body = std::move(*inflated);
    return {.topic = std::string{view.topic()},
            .queue = view.queue(),
            .offset = view.offset(),
            .message_id = view.message_id(),
            .offset_message_id = view.offset_message_id(),
            .tag = std::string{view.tag()},
            .keys = std::string{view.keys()},
            .born_at = view.born_at(),
            .stored_at = view.stored_at(),
            .body = std::move(body)};
}

// KEYS holds words separated by spaces; the broker's index knows only their hashes.
bool has_key(std::string_view keys, std::string_view key) {
    while (!keys.empty()) {
        const std::string_view word = keys.substr(0, keys.find(' '));
        if (word == key)
            return true;
        keys.remove_prefix(std::min(keys.size(), word.size() + 1));
    }
    return false;
}

} // namespace

admin::admin(client_options options) : engine_(std::make_shared<engine>(std::move(options))) {}
admin::~admin() {
    engine_->client.stop();
}

result<void> admin::start() {
    return engine_->client.start();
}

result<std::vector<std::string>> admin::topics() {
    using names = std::vector<std::string>;
    return engine_->ask_name_server<names>(
        protocol::get_topic_list_request{}, [](const call_outcome& outcome) -> result<names> {
            if (!outcome.ok())
                return to_error(outcome);
            auto list = protocol::decode_topic_list(outcome.reply->command().body());
            if (!list)
                return list.failure();
            std::sort(list->topics.begin(), list->topics.end());
            return std::move(list->topics);
        });
}

result<std::vector<topic_part>> admin::route(std::string_view topic) {
    auto route = engine_->route(topic);
    if (!route)
        return route.failure();
    std::vector<topic_part> parts;
    for (const protocol::queue_data& queues : (*route)->source.queues) {
        topic_part part{.broker_name = queues.broker_name,
                        .broker_address = {},
                        .settings = {.read_queues = queues.read_queue_count,
                                     .write_queues = queues.write_queue_count,
                                     .permission = queues.permission}};
        for (const protocol::broker_data& broker : (*route)->source.brokers)
            if (broker.broker_name == queues.broker_name && !broker.addresses.empty())
                part.broker_address = broker.addresses.begin()->second;
        parts.push_back(std::move(part));
    }
    return parts;
}

result<void> admin::create_topic(std::string_view topic, const topic_settings& settings) {
    if (auto good = protocol::check_topic_name(topic); !good)
        return good;
    if (settings.read_queues < 1 || settings.write_queues < 1 || settings.read_queues > most_queues ||
        settings.write_queues > most_queues)
        return error{errc::invalid_argument,
                     "a topic has 1 to " + std::to_string(most_queues) + " queues on a broker"};
    auto leaders = engine_->leaders();
    if (!leaders)
        return leaders.failure();
    for (leader& to : *leaders) {
        const protocol::update_topic_request request{.topic = topic,
                                                     .default_topic = protocol::auto_create_topic,
                                                     .read_queue_count = settings.read_queues,
                                                     .write_queue_count = settings.write_queues,
                                                     .permission = settings.permission};
        if (const auto done = engine_->order(to, request, when_unknown::repeat); !done)
            return error{done.failure().code, "broker " + to.broker_name + ": " + done.failure().message};
    }
    return {};
}

result<std::vector<queue_status>> admin::status(std::string_view topic) {
    const auto route = engine_->route(topic);
    if (!route)
        return route.failure();
    std::vector<queue_status> all;
    std::map<std::string, leader> leaders; // by broker: who leads now is found out once
    for (const placed_queue& each : (*route)->readable) {
        leader& whom = leaders.try_emplace(each.id.broker_name, leader::of(each)).first->second;
        const auto first = engine_->offset(whom, each.id, false);
        if (!first)
            return first.failure();
        const auto last = engine_->offset(whom, each.id, true);
        if (!last)
            return last.failure();
        all.push_back({.queue = each.id, .first = std::max(*first, queue_offset{0}), .last = *last});
    }
    return all;
}

result<queue_offset> admin::offset_at(const message_queue& queue, timestamp_ms when) {
    const auto route = engine_->route(queue.topic);
    if (!route)
        return route.failure();
    for (const placed_queue& each : (*route)->readable) {
        if (each.id != queue)
            continue;
        const protocol::search_offset_request request{
            .topic = queue.topic, .queue = queue.queue, .timestamp = when, .boundary = {}};
        return engine_->ask_broker<queue_offset>(
            leader::of(each), request, [](const call_outcome& outcome) -> result<queue_offset> {
                const auto header = header_of<protocol::offset_response>(outcome);
                if (!header)
                    return header.failure();
                return header->offset;
            });
    }
    return error{errc::not_found, "topic " + queue.topic + " has no queue " +
                                      std::to_string(queue.queue.value()) + " on " + queue.broker_name};
}

result<stored_copy> admin::message_by_id(std::string_view offset_message_id) {
    const auto id = protocol::parse_message_id(offset_message_id);
    if (!id)
        return id.failure();
    const std::string address = protocol::to_string(id->host.to_ipv4());
    const auto broker = engine_->client.broker(address);
    if (broker == nullptr)
        return error{errc::invalid_argument,
                     "the id names no broker ('" + address + "'); is it a broker's id (offset message id)?"};
    const protocol::view_message_request request{.offset = id->position, .topic = {}};
    // Positions are the same on all nodes of a broker: should this one be gone, the leader has it, too.
    return engine_->ask_broker<stored_copy>(
        leader{{}, broker}, request, [](const call_outcome& outcome) -> result<stored_copy> {
            if (!outcome.ok())
                return to_error(outcome);
            const auto record = protocol::decode_stored_message(outcome.reply->command().body());
            if (!record)
                return record.failure();
            return to_copy(*record);
        });
}

result<std::vector<stored_copy>> admin::messages_by_key(std::string_view topic, std::string_view key,
                                                        std::int32_t limit) {
    using copies = std::vector<stored_copy>;
    const auto route = engine_->route(topic);
    if (!route)
        return route.failure();
    const protocol::query_message_request request{.topic = topic,
                                                  .key = key,
                                                  .max_messages = limit,
                                                  .begin = timestamp_ms{0},
                                                  .end =
                                                      timestamp_ms{std::numeric_limits<std::int64_t>::max()}};
    copies all;
    std::vector<std::shared_ptr<connection>> asked;
    for (const placed_queue& each : (*route)->readable) {
        if (std::find(asked.begin(), asked.end(), each.broker) != asked.end())
            continue;
        asked.push_back(each.broker);
        auto found = engine_->ask_broker<copies>(
            leader::of(each), request, [&](const call_outcome& outcome) -> result<copies> {
                copies got;
                if (outcome.code() == static_cast<int>(protocol::response_code::query_not_found))
                    return got;
                if (!outcome.ok())
                    return to_error(outcome);
                protocol::stored_message_reader reader{outcome.reply->command().body()};
                while (auto record = reader.next()) {
                    if (!*record)
                        return record->failure();
                    if (has_key(message_view{**record}.keys(), key))
                        got.push_back(to_copy(**record));
                }
                return got;
            });
        if (!found)
            return found.failure();
        std::move(found->begin(), found->end(), std::back_inserter(all));
    }
    std::sort(all.begin(), all.end(), [](const stored_copy& left, const stored_copy& right) {
        return left.stored_at > right.stored_at;
    });
    if (all.size() > static_cast<std::size_t>(std::max(limit, 0)))
        all.resize(static_cast<std::size_t>(std::max(limit, 0)));
    return all;
}

} // namespace holdfast::client
