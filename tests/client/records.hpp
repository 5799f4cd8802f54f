// Stored records for tests that need no broker.
#pragma once

#include "base/bytes.hpp"
#include "client/message_view.hpp"
#include "client/process_queue.hpp"
#include "protocol/stored_message.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace holdfast::client::testing {

inline std::string make_record(std::int64_t offset, std::string_view body, std::string_view properties = {},
                               std::int32_t sys_flag = 0, std::int32_t reconsume_times = 0) {
    const protocol::stored_message message{.queue = queue_number{0},
                                           .offset = queue_offset{offset},
                                           .sys_flag = sys_flag,
                                           .reconsume_times = reconsume_times,
                                           .body = as_bytes(body),
                                           .topic = "T",
                                           .properties = properties,
                                           .more_properties = {}};
    std::string record(message.size(), '\0');
    protocol::write_stored_message(reinterpret_cast<std::byte*>(record.data()), message);
    return record;
}

// Of a record that begins at `position` of a pull answer.
inline pulled_record place_of(const std::string& record, std::size_t position = 0) {
    const message_view message{as_bytes(record)};
    return {static_cast<std::uint32_t>(position), static_cast<std::uint32_t>(record.size()), message.offset(),
            message.compressed()};
}

// The bytes of a pull answer and where its records are.
struct pulled {
    shared_bytes bytes;
    std::vector<pulled_record> records;
};
inline pulled make_pulled(const std::vector<std::int64_t>& offsets) {
    std::string bytes;
    pulled all;
    for (const std::int64_t offset : offsets) {
        const std::string record = make_record(offset, "body " + std::to_string(offset));
        all.records.push_back(place_of(record, bytes.size()));
        bytes += record;
    }
    all.bytes = shared_bytes::copy_of(as_bytes(bytes));
    return all;
}

// Adds the messages first .. last-1 to a queue as one answer.
inline std::shared_ptr<pulled_batch> add_range(process_queue& queue, std::int64_t first, std::int64_t last) {
    std::vector<std::int64_t> offsets;
    for (std::int64_t at = first; at < last; ++at)
        offsets.push_back(at);
    auto [bytes, records] = make_pulled(offsets);
    return queue.add(bytes, std::move(records), queue_offset{last});
}

} // namespace holdfast::client::testing
