#include "client/consumer_sink.hpp"

namespace holdfast::client {

// What is posted to the io thread holds no share of the engine: the runtime would own its owner should it be
// stopped meanwhile.

void push_consumer::engine::sink::returned(std::shared_ptr<pulled_batch> batch, std::uint32_t index,
                                           std::uint32_t retries, std::int32_t level) {
    if (const auto owner = owner_.lock())
        return owner->take_returned(std::move(batch), index, retries, level);
    batch->give_back();
}

void push_consumer::engine::sink::turn_ended(process_queue& queue) {
    const auto owner = owner_.lock();
    if (owner == nullptr)
        return;
    if (!queue.closing())
        return owner->feed(queue);
    owner->runtime_.post([weak = owner_] {
        if (const auto alive = weak.lock())
            alive->finish_leaving();
    });
}

void push_consumer::engine::sink::batch_completed(process_queue&) {
    const auto owner = owner_.lock();
    if (owner != nullptr && owner->anyone_paused_.exchange(false))
        owner->runtime_.post([weak = owner_] {
            if (const auto alive = weak.lock())
                alive->resume_all();
        });
}

void push_consumer::engine::sink::hand_emptied() {
    const auto owner = owner_.lock();
    if (owner == nullptr)
        return;
    const std::lock_guard lock{owner->mutex_};
    owner->changed_.notify_all();
}

} // namespace holdfast::client
