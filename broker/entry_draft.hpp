// A log entry in the making: one buffer into which a session writes its commands, and which becomes the entry
// itself.
//
// The bytes of a message are written once, here, by the session that decoded it; the replica fills in what
// only it knows (positions, store time, header, checksum), and the same buffer then goes to the flusher, to
// the followers and to consumers that read the hot tail. The buffer is not zeroed when it is made: only what
// is written is ever read.
#pragma once

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "broker/command.hpp"
#include "storage/entry.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace holdfast::broker {

class entry_draft {
  public:
    entry_draft() = default;
    // Reserves room for `body_capacity` bytes of commands; it grows when that was too little.
    explicit entry_draft(std::size_t body_capacity);

    entry_draft(entry_draft&&) noexcept = default;
    entry_draft& operator=(entry_draft&&) noexcept = default;

    // A message's place: the caller must fill all `size` bytes with a stored record before the draft is
    // appended. The span is valid until the next add.
    std::span<std::byte> add_message(queue_key queue, std::int32_t tags, std::size_t size);
    // The same for a record of another kind: `size` includes its trailer, which the caller fills in too.
    std::span<std::byte> add_record(command_kind kind, queue_key queue, std::int32_t tags, std::size_t size);
    void add(command_kind kind, byte_view payload);
    void add(command_kind kind, std::string_view payload) { add(kind, as_bytes(payload)); }

    [[nodiscard]] bool empty() const { return count_ == 0; }
    [[nodiscard]] std::uint32_t count() const { return count_; }
    // The entry's length so far, header included, without padding.
    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] std::span<std::byte> bytes() { return {buffer_.get(), size_}; }
    [[nodiscard]] byte_view bytes() const { return {buffer_.get(), size_}; }

    // Where, from the entry's first byte, the payload of the next command will be.
    [[nodiscard]] std::size_t next_payload() const {
        return std::max(size_, storage::entry_header_size) + command_header_size;
    }

    // Gives the bytes away; the draft is empty afterwards.
    [[nodiscard]] shared_bytes release();

  private:
    std::byte* extend(std::size_t payload_size, command_header header);

    std::shared_ptr<std::byte[]> buffer_;
    std::size_t capacity_ = 0;
    std::size_t size_ = 0;
    std::uint32_t count_ = 0;
};

} // namespace holdfast::broker
