#include "broker/served_record.hpp"

#include "protocol/names.hpp"

#include <algorithm>
#include <cstring>

namespace holdfast::broker {
namespace {

namespace property = protocol::property;
namespace at = protocol::stored_message_at;
using storage::record_fate;

// A property with both of its separators.
std::size_t bytes_of(std::string_view name, std::size_t value_size) {
    return name.size() + value_size + 2;
}

queue_number queue_of(const protocol::stored_message_view& record) {
    return queue_number{static_cast<std::uint32_t>(record.queue_id)};
}

bool is_given_up(const std::optional<storage::settled_record>& settled) {
    return settled && settled->fate == record_fate::given_up;
}

} // namespace

std::size_t origin_bytes(std::string_view topic, queue_number queue) {
    return bytes_of(property::real_topic, topic.size()) +
           bytes_of(property::real_queue_id, std::to_string(queue.value()).size());
}

std::size_t check_times_bytes(std::uint32_t checks) {
    return bytes_of(property::transaction_check_times, std::to_string(checks).size());
}

std::uint32_t served_size(command_kind kind, const protocol::stored_message_view& record) {
    const auto added = is_lean(kind) ? origin_bytes(record.topic, queue_of(record)) : 0;
    return record.size + static_cast<std::uint32_t>(added);
}

std::uint32_t given_up_size(std::uint32_t served, std::size_t topic_bytes, std::uint32_t checks) {
    return static_cast<std::uint32_t>(served - topic_bytes + protocol::check_exhausted_topic.size() +
                                      check_times_bytes(checks));
}

result<served_record> served_record::of(byte_view entry, std::size_t offset,
                                        const std::optional<storage::settled_record>& settled) {
    served_record served;
    if (offset < storage::entry_header_size + command_header_size || offset >= entry.size() ||
        entry.size() - offset < protocol::stored_message_fixed_bytes)
        return error{errc::corrupted, "a record reaches behind its entry"};
    const auto size = load_big<std::uint32_t>(entry.data() + offset + at::total_size);
    if (size < protocol::stored_message_fixed_bytes || size > entry.size() - offset)
        return error{errc::corrupted, "a record reaches behind its entry"};
    served.stored_ = entry.subspan(offset, size);
    served.kind_ = kind_at(entry, offset);
    served.settled_ = settled;
    if (served.kind_ == command_kind::message)
        return served;
    auto decoded = protocol::decode_stored_message(served.stored_);
    if (!decoded.ok())
        return error{errc::corrupted, decoded.failure().message};
    served.message_ = *decoded;
    if (is_lean(served.kind_)) {
        served.add_property(property::real_topic, served.message_.topic);
        served.add_property(property::real_queue_id, std::to_string(queue_of(served.message_).value()));
    }
    if (is_given_up(settled))
        served.add_property(property::transaction_check_times, std::to_string(settled->checks));
    return served;
}

void served_record::add_property(std::string_view name, std::string_view value) {
    const auto& before = message_.properties;
    if (added_.empty() && !before.empty() && before.back() != protocol::property_separator)
        added_ += protocol::property_separator;
    protocol::append_property(added_, name, value);
}

std::size_t served_record::size() const {
    if (is_given_up(settled_))
        return stored_.size() - message_.topic.size() + protocol::check_exhausted_topic.size() +
               added_.size();
    return stored_.size() + added_.size();
}

void served_record::write(queue_offset at, std::byte* to) const {
    if (is_given_up(settled_)) {
        write_as_given_up(to);
    } else {
        std::memcpy(to, stored_.data(), stored_.size());
        if (!added_.empty())
            write_added(to, to + stored_.size());
    }
    protocol::patch_queue_offset(to, at);
    if (settled_)
        protocol::patch_store_timestamp(to, settled_->when);
    if (is_half(kind_) && settled_)
        mark_decided(to);
}

// Behind the properties that end at `end` of the record at `to`.
void served_record::write_added(std::byte* to, std::byte* end) const {
    const auto before = message_.properties.size();
    std::memcpy(end, added_.data(), added_.size());
    store_big(end - before - sizeof(std::uint16_t), static_cast<std::uint16_t>(before + added_.size()));
    store_big(to + at::total_size, static_cast<std::uint32_t>(size()));
}

void served_record::write_as_given_up(std::byte* to) const {
    const auto topic_at = at::body + message_.body.size();
    const auto rest_at = topic_at + 1 + message_.topic.size();
    constexpr auto topic = protocol::check_exhausted_topic;
    std::memcpy(to, stored_.data(), topic_at);
    auto* end = to + topic_at;
    store_big(end++, static_cast<std::uint8_t>(topic.size()));
    std::memcpy(end, topic.data(), topic.size());
    end += topic.size();
    std::memcpy(end, stored_.data() + rest_at, stored_.size() - rest_at);
    write_added(to, end + (stored_.size() - rest_at));
    protocol::patch_queue_id(to, queue_number{0});
}

void served_record::mark_decided(std::byte* to) const {
    const auto flags = load_big<std::int32_t>(to + at::sys_flag) & ~protocol::sys_flag::transaction_mask;
    if (is_given_up(settled_)) {
        protocol::patch_sys_flag(to, flags);
        return protocol::patch_prepared_transaction(to, log_position{0});
    }
    protocol::patch_sys_flag(to, flags | protocol::sys_flag::transaction_commit);
    protocol::patch_prepared_transaction(to, settled_->position);
}

} // namespace holdfast::broker
