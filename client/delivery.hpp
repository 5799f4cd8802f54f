// The handle to one delivered message.
//
// Owns the duty to say what became of the message: ack() when the work is done, retry_later() to get it again
// after a pause, dead_letter() when no further try makes sense. Destroyed without a word, it says
// retry_later() itself, so a forgotten handle can never lose a message. Move-only; may be moved to any thread
// and may outlive its consumer (its word then has no effect, and the message comes again to another member).
//
// A retried message goes back to the broker and comes again from the group's retry topic, to any member,
// after a pause that grows with the number of tries; after the last one the broker puts it into the group's
// dead-letter queue (protocol reference 6.5). Only when the broker has answered that it has it, the group's
// offset passes it here. Should it not be possible to give it back, it is delivered again from here.
// Consuming in order and broadcasting, retries are always made from here: see push_consumer.hpp.
//
// The bytes of a pull answer are shared by its handles and freed with the last one: a handle that is kept
// keeps up to about 1 MiB.
#pragma once

#include "client/message_view.hpp"
#include "client/process_queue.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace holdfast::client {

class delivery {
  public:
    // For the consumer: `batch` counts this handle already (pulled_batch::hand_out).
    delivery(std::shared_ptr<pulled_batch> batch, std::uint32_t index, std::uint32_t retries);
    ~delivery() { retry_later(); }
    delivery(delivery&& other) noexcept
        : batch_(std::move(other.batch_)),
          index_(other.index_),
          retries_(other.retries_),
          settled_(std::exchange(other.settled_, true)),
          inflated_(std::move(other.inflated_)) {}
    delivery& operator=(delivery&& other) noexcept {
        if (this != &other) {
            retry_later();
            batch_ = std::move(other.batch_);
            index_ = other.index_;
            retries_ = other.retries_;
            settled_ = std::exchange(other.settled_, true);
            inflated_ = std::move(other.inflated_);
        }
        return *this;
    }
    delivery(const delivery&) = delete;
    delivery& operator=(const delivery&) = delete;

    // The message is dealt with; the group's offset may pass it. Only the first word counts.
    void ack() {
        if (!std::exchange(settled_, true))
            batch_->ack(index_);
    }
    // Deliver it again. `delay_level`: one of the broker's levels, 1 to 18; 0 = by the number of tries.
    void retry_later(std::int32_t delay_level = 0) {
        if (!std::exchange(settled_, true))
            batch_->retry(index_, retries_, delay_level < 0 ? 0 : delay_level);
    }
    // Put it into the group's dead-letter queue now.
    void dead_letter() {
        if (!std::exchange(settled_, true))
            batch_->retry(index_, retries_, dead_letter_level);
    }
    [[nodiscard]] bool settled() const { return settled_; }
    // The queue went to another member: an ack() has no effect any more.
    [[nodiscard]] bool lost() const { return batch_->owner().dropped(); }

    // Valid as long as this handle lives and is not moved from, also after ack().
    [[nodiscard]] message_view message() const { return message_view{batch_->record(index_)}; }
    // The body as the producer gave it: decompressed. Should that fail, the bytes as they are stored.
    [[nodiscard]] std::string_view body() const {
        return inflated_ != nullptr ? std::string_view{*inflated_} : message().stored_body();
    }

    [[nodiscard]] const message_queue& queue() const { return batch_->owner().id(); }
    [[nodiscard]] queue_offset offset() const { return batch_->offset(index_); }
    // How often it was delivered before: to anyone, as the broker counts, plus by this consumer.
    [[nodiscard]] std::uint32_t reconsume_times() const { return message().reconsume_times() + retries_; }

  private:
    std::shared_ptr<pulled_batch> batch_;
    std::uint32_t index_;
    std::uint32_t retries_;
    bool settled_ = false;
    std::unique_ptr<std::string> inflated_; // set only for a compressed body
};

} // namespace holdfast::client
