#include "actors/visible_record.hpp"

#include "broker/served_record.hpp"
#include "protocol/names.hpp"
#include "protocol/stored_message.hpp"
#include "storage/entry.hpp"

namespace holdfast::actors {
namespace {

// What brought a half or a delayed message into its queue; nothing when it is in none.
result<std::optional<storage::settled_record>> settled_at(const session_environment& environment,
                                                          log_position position, queue_key& queue) {
    using nothing = std::optional<storage::settled_record>;
    auto settled = environment.view->deliveries().find(position);
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
    return kept ? std::move(*settled) : nothing{};
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
    std::optional<storage::settled_record> settled;
    if (record.command.kind == broker::command_kind::message) {
        const auto offset = search.find(record.queue, position);
        if (!offset.ok())
            return offset.failure();
        if (!*offset)
            return nothing{};
        found.offset = **offset;
    } else {
        auto brought = settled_at(environment, position, found.queue);
        if (!brought.ok())
            return brought.failure();
        if (!*brought)
            return nothing{};
        settled = *brought;
        found.offset = settled->offset;
    }
    const auto served = broker::served_record::of(record.entry.entry.view(), record.offset, settled);
    if (!served.ok())
        return served.failure();
    found.bytes.resize(served->size());
    served->write(found.offset, found.bytes.data());
    return nothing{std::move(found)};
}

} // namespace holdfast::actors
