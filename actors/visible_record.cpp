#include "actors/visible_record.hpp"

#include "broker/served_record.hpp"
#include "protocol/names.hpp"
#include "protocol/stored_message.hpp"
#include "storage/entry.hpp"

namespace holdfast::actors {
namespace {

// Where a half or a delayed message came to be; nothing when it is in no queue.
result<std::optional<queue_offset>> settled_at(const session_environment& environment, log_position position,
                                               queue_key& queue) {
    using nothing = std::optional<queue_offset>;
    const auto settled = environment.view->deliveries().find(position);
    if (!settled.ok())
        return settled.failure();
    if (!*settled || (*settled)->offset < queue_offset{0})
        return nothing{};
    if ((*settled)->fate == storage::record_fate::given_up) {
        const auto topic = environment.view->find_topic(protocol::check_exhausted_topic);
        if (!topic)
            return nothing{};
        queue = {topic->id, queue_number{0}};
    }
    const auto kept = (*settled)->offset >= environment.view->queues().bounds(queue).first;
    return kept ? nothing{(*settled)->offset} : nothing{};
}

} // namespace

result<std::optional<located_record>> locate_record(const session_environment& environment,
                                                    log_position position) {
    using nothing = std::optional<located_record>;
    if (position >= environment.view->marks().applied)
        return nothing{};
    auto entry = environment.reader->entry_containing(position);
    if (!entry.ok())
        return entry.failure();
    located_record found;
    found.offset = position - entry->position;
    if (found.offset < storage::entry_header_size + broker::command_header_size)
        return nothing{};
    broker::command_cursor cursor{entry->entry.view(), found.offset - broker::command_header_size};
    const auto command = cursor.next();
    if (!command.ok() || !broker::has_record(command->header.kind))
        return nothing{};
    const auto decoded = protocol::decode_stored_message(command->payload);
    if (!decoded.ok() || decoded->physical_offset != static_cast<std::int64_t>(position.value()))
        return nothing{};
    const auto topic = environment.view->find_topic(decoded->topic);
    if (!topic || topic->id != command->header.topic)
        return nothing{};
    found.command = command->header;
    found.size = decoded->size;
    found.queue = {found.command.topic, found.command.queue};
    found.entry = std::move(*entry);
    return nothing{std::move(found)};
}

result<std::optional<visible_record>> find_visible_record(const session_environment& environment,
                                                          log_position position) {
    storage::queue_search search{environment.view->queues()};
    return find_visible_record(environment, position, search);
}

result<std::optional<visible_record>> find_visible_record(const session_environment& environment,
                                                          log_position position,
                                                          storage::queue_search& search) {
    using nothing = std::optional<visible_record>;
    const auto located = locate_record(environment, position);
    if (!located.ok() && located.failure().code != errc::not_found)
        return located.failure();
    if (!located.ok() || !*located)
        return nothing{};
    const auto& record = **located;
    visible_record found;
    found.queue = record.queue;
    const auto offset = record.command.kind == broker::command_kind::message
                            ? search.find(record.queue, position)
                            : settled_at(environment, position, found.queue);
    if (!offset.ok())
        return offset.failure();
    if (!*offset)
        return nothing{};
    found.offset = **offset;
    const auto bytes = record.bytes();
    found.bytes.assign(bytes.begin(), bytes.end());
    broker::complete_served_record(record.entry.entry.view(), record.offset, record.size, found.offset,
                                   found.bytes.data());
    return nothing{std::move(found)};
}

} // namespace holdfast::actors
