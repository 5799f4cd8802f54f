#include "broker/records.hpp"

#include "broker/field_codec.hpp"

namespace holdfast::broker {
namespace {

constexpr std::uint8_t records_version = 1;

error malformed(std::string_view what) {
    return error{errc::corrupted, "a " + std::string{what} + " in the log does not follow its format"};
}

} // namespace

std::string encode(const topic_config& config) {
    field_writer out;
    out.put(records_version).put_text(config.name).put(config.id.value());
    out.put(config.read_queues).put(config.write_queues).put(config.permissions).put(config.sys_flag);
    out.put(static_cast<std::uint8_t>(config.order)).put(static_cast<std::uint8_t>(config.multi_tags));
    return out.take();
}

result<topic_config> decode_topic_config(byte_view bytes) {
    field_reader in{bytes};
    topic_config config;
    if (in.take<std::uint8_t>() != records_version)
        return malformed("topic");
    config.name = in.take_text();
    config.id = topic_id{in.take<std::uint32_t>()};
    config.read_queues = in.take<std::uint32_t>();
    config.write_queues = in.take<std::uint32_t>();
    config.permissions = in.take<std::uint32_t>();
    config.sys_flag = in.take<std::uint32_t>();
    config.order = in.take<std::uint8_t>() != 0;
    config.multi_tags = in.take<std::uint8_t>() != 0;
    if (!in.ok())
        return malformed("topic");
    return config;
}

std::string encode(const group_config& config) {
    const auto flags = static_cast<std::uint8_t>(
        (config.consume_enable ? 1 : 0) | (config.consume_from_min_enable ? 2 : 0) |
        (config.consume_broadcast_enable ? 4 : 0) | (config.notify_consumer_ids_changed ? 8 : 0));
    field_writer out;
    out.put(records_version).put_text(config.name).put(flags);
    out.put(config.retry_queues)
        .put(config.retry_max_times)
        .put(config.broker_id)
        .put(config.which_broker_when_slow);
    return out.take();
}

result<group_config> decode_group_config(byte_view bytes) {
    field_reader in{bytes};
    group_config config;
    if (in.take<std::uint8_t>() != records_version)
        return malformed("group");
    config.name = in.take_text();
    const auto flags = in.take<std::uint8_t>();
    config.consume_enable = (flags & 1U) != 0;
    config.consume_from_min_enable = (flags & 2U) != 0;
    config.consume_broadcast_enable = (flags & 4U) != 0;
    config.notify_consumer_ids_changed = (flags & 8U) != 0;
    config.retry_queues = in.take<std::uint32_t>();
    config.retry_max_times = in.take<std::uint32_t>();
    config.broker_id = in.take<std::int64_t>();
    config.which_broker_when_slow = in.take<std::int64_t>();
    if (!in.ok())
        return malformed("group");
    return config;
}

std::string encode(const std::vector<offset_commit>& commits) {
    field_writer out;
    out.put(records_version).put(static_cast<std::uint32_t>(commits.size()));
    for (const auto& commit : commits)
        out.put_text(commit.group)
            .put(commit.queue.topic.value())
            .put(commit.queue.queue.value())
            .put(commit.next.value());
    return out.take();
}

result<std::vector<offset_commit>> decode_offset_commits(byte_view bytes) {
    constexpr std::size_t smallest = 2 + 4 + 4 + 8;
    field_reader in{bytes};
    if (in.take<std::uint8_t>() != records_version)
        return malformed("commit of offsets");
    const auto count = in.take<std::uint32_t>();
    if (count > in.remaining() / smallest)
        return malformed("commit of offsets");
    std::vector<offset_commit> commits(count);
    for (auto& commit : commits) {
        commit.group = in.take_text();
        commit.queue.topic = topic_id{in.take<std::uint32_t>()};
        commit.queue.queue = queue_number{in.take<std::uint32_t>()};
        commit.next = queue_offset{in.take<std::int64_t>()};
    }
    if (!in.ok())
        return malformed("commit of offsets");
    return commits;
}

} // namespace holdfast::broker
