// The handle to one delivered message.
//
// Owns the duty to say what became of the message: ack() when the work is done, retry_later() to get it again
// after a pause. Destroyed without either, it says retry_later() itself, so a forgotten handle can never
// lose a message. Move-only; may be moved to any thread and may outlive its consumer (its word then has no
// effect, and the message comes again to another member).
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
    // Deliver it again after a back-off; the group's offset stays before it until then.
    void retry_later() {
        if (!std::exchange(settled_, true))
            batch_->retry(index_, retries_);
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
