// Where a consumer's deliveries report to. It outlives the engine in handles that the application keeps.
#pragma once

#include "client/consumer_engine.hpp"

#include <memory>

namespace holdfast::client {

class push_consumer::engine::sink : public delivery_sink {
  public:
    explicit sink(std::weak_ptr<engine> owner) : owner_(std::move(owner)) {}

    void returned(std::shared_ptr<pulled_batch> batch, std::uint32_t index, std::uint32_t retries,
                  std::int32_t level) override;
    void turn_ended(process_queue& queue) override;
    void batch_completed(process_queue& queue) override;
    void hand_emptied() override;

  private:
    const std::weak_ptr<engine> owner_;
};

} // namespace holdfast::client
