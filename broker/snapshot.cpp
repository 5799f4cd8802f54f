#include "broker/snapshot.hpp"

#include "broker/field_codec.hpp"
#include "broker/members.hpp"
#include "broker/state.hpp"

#include <map>

namespace holdfast::broker {
namespace {

constexpr std::uint8_t snapshot_version = 3;
constexpr std::uint8_t first_with_members = 3;
constexpr std::uint8_t first_with_deliveries_and_locks = 2;

error malformed() {
    return {errc::corrupted, "a snapshot of the state in the log does not follow its format"};
}

error wrong_count(queue_key queue, std::int64_t found, std::int64_t expected) {
    return {errc::corrupted, "the log holds " + std::to_string(found) + " messages of topic id " +
                                 std::to_string(queue.topic.value()) + ", queue " +
                                 std::to_string(queue.queue.value()) + " where it held " +
                                 std::to_string(expected)};
}

void put_queues(field_writer& out, const std::vector<std::pair<queue_key, queue_offset>>& queues) {
    out.put(static_cast<std::uint32_t>(queues.size()));
    for (const auto& [queue, offset] : queues)
        out.put(queue.topic.value()).put(queue.queue.value()).put(offset.value());
}

std::vector<std::pair<queue_key, queue_offset>> take_queues(field_reader& in) {
    std::vector<std::pair<queue_key, queue_offset>> queues;
    for (auto left = in.take<std::uint32_t>(); left > 0 && in.ok(); --left) {
        const topic_id topic{in.take<std::uint32_t>()};
        const queue_number queue{in.take<std::uint32_t>()};
        queues.emplace_back(queue_key{topic, queue}, queue_offset{in.take<std::int64_t>()});
    }
    return queues;
}

void put_locks(field_writer& out, const queue_locks& locks) {
    out.put(static_cast<std::uint32_t>(locks.groups().size()));
    for (const auto& [group, queues] : locks.groups()) {
        out.put_text(group).put(static_cast<std::uint32_t>(queues.size()));
        for (const auto& [queue, lock] : queues)
            out.put(queue.topic.value()).put(queue.queue.value()).put(lock.epoch).put_text(lock.owner);
    }
}

void take_locks(field_reader& in, queue_locks& locks) {
    for (auto groups = in.take<std::uint32_t>(); groups > 0 && in.ok(); --groups) {
        const auto group = in.take_text();
        for (auto left = in.take<std::uint32_t>(); left > 0 && in.ok(); --left) {
            lock_change change;
            change.queue.topic = topic_id{in.take<std::uint32_t>()};
            change.queue.queue = queue_number{in.take<std::uint32_t>()};
            change.lock.epoch = in.take<std::uint64_t>();
            change.lock.owner = in.take_text();
            locks.restore(group, change);
        }
    }
}

} // namespace

std::string encode_snapshot(const state& current, log_position first, log_position as_of,
                            const std::vector<std::pair<queue_key, queue_offset>>& firsts) {
    field_writer out;
    out.put(snapshot_version).put(first.value()).put(as_of.value()).put(current.next_topic_id().value());
    out.put(static_cast<std::uint32_t>(current.topics().size()));
    for (const auto& [name, topic] : current.topics())
        out.put_text(encode(*topic));
    out.put(static_cast<std::uint32_t>(current.groups().size()));
    for (const auto& [name, group] : current.groups())
        out.put_text(encode(*group));
    std::uint32_t offsets = 0;
    for (const auto& [group, queues] : current.offsets())
        offsets += static_cast<std::uint32_t>(queues.size());
    out.put(offsets);
    for (const auto& [group, queues] : current.offsets())
        for (const auto& [queue, next] : queues)
            out.put_text(group).put(queue.topic.value()).put(queue.queue.value()).put(next.value());
    put_queues(out, firsts);
    put_queues(out, current.queue_lengths());
    const auto& delay = current.delay();
    out.put(delay.version).put(delay.cursor.due.value()).put(delay.cursor.position.value());
    put_locks(out, current.locks());
    out.put_text(encode(current.members()));
    return out.take();
}

result<log_snapshot> decode_snapshot(byte_view bytes) {
    field_reader in{bytes};
    log_snapshot snapshot;
    const auto version = in.take<std::uint8_t>();
    if (version == 0 || version > snapshot_version)
        return malformed();
    snapshot.first = log_position{in.take<std::uint64_t>()};
    snapshot.as_of = log_position{in.take<std::uint64_t>()};
    snapshot.next_topic = topic_id{in.take<std::uint32_t>()};
    for (auto left = in.take<std::uint32_t>(); left > 0 && in.ok(); --left) {
        auto topic = decode_topic_config(as_bytes(in.take_text()));
        if (!topic.ok())
            return topic.failure();
        snapshot.topics.push_back(std::move(*topic));
    }
    for (auto left = in.take<std::uint32_t>(); left > 0 && in.ok(); --left) {
        auto group = decode_group_config(as_bytes(in.take_text()));
        if (!group.ok())
            return group.failure();
        snapshot.groups.push_back(std::move(*group));
    }
    for (auto left = in.take<std::uint32_t>(); left > 0 && in.ok(); --left) {
        offset_commit commit;
        commit.group = in.take_text();
        commit.queue.topic = topic_id{in.take<std::uint32_t>()};
        commit.queue.queue = queue_number{in.take<std::uint32_t>()};
        commit.next = queue_offset{in.take<std::int64_t>()};
        snapshot.offsets.push_back(std::move(commit));
    }
    snapshot.firsts = take_queues(in);
    snapshot.nexts = take_queues(in);
    if (version >= first_with_deliveries_and_locks) {
        snapshot.delay.version = in.take<std::uint64_t>();
        snapshot.delay.cursor.due = timestamp_ms{in.take<std::int64_t>()};
        snapshot.delay.cursor.position = log_position{in.take<std::uint64_t>()};
        take_locks(in, snapshot.locks);
    }
    if (version >= first_with_members) {
        auto members = decode_members(as_bytes(in.take_text()));
        if (!members.ok())
            return members.failure();
        snapshot.members = std::move(*members);
    }
    if (!in.ok() || in.remaining() != 0)
        return malformed();
    return snapshot;
}

state restore_snapshot(const log_snapshot& snapshot) {
    state restored;
    for (const auto& topic : snapshot.topics)
        restored.restore_topic(topic);
    for (const auto& group : snapshot.groups)
        restored.restore_group(group);
    for (const auto& offset : snapshot.offsets)
        restored.restore_offset(offset);
    for (const auto& [group, queues] : snapshot.locks.groups())
        for (const auto& [queue, lock] : queues)
            restored.restore_lock(group, {queue, lock});
    restored.restore_next_topic_id(snapshot.next_topic);
    restored.restore_first_position(snapshot.first);
    restored.restore_members(snapshot.members);
    return restored;
}

result<state> restore_snapshot(const log_snapshot& snapshot, const state& counted) {
    auto restored = restore_snapshot(snapshot);
    const std::map<queue_key, queue_offset> firsts(snapshot.firsts.begin(), snapshot.firsts.end());
    for (const auto& [queue, next] : snapshot.nexts) {
        const auto found = firsts.find(queue);
        const auto first = found == firsts.end() ? queue_offset{0} : found->second;
        const auto messages = counted.next_offset(queue) - queue_offset{0};
        const auto begin = next - messages;
        if (begin < queue_offset{0} || begin > first)
            return wrong_count(queue, messages, next - first);
        restored.restore_queue(queue, first, begin);
    }
    restored.restore_delay(snapshot.delay);
    return restored;
}

result<void> check_against(const log_snapshot& snapshot, const state& rebuilt) {
    for (const auto& [queue, next] : snapshot.nexts)
        if (rebuilt.next_offset(queue) != next)
            return wrong_count(queue, rebuilt.next_offset(queue) - queue_offset{0}, next - queue_offset{0});
    return {};
}

} // namespace holdfast::broker
