#include "client/delivery.hpp"

#include "client/compression.hpp"

namespace holdfast::client {

delivery::delivery(std::shared_ptr<pulled_batch> batch, std::uint32_t index, std::uint32_t retries)
    : batch_(std::move(batch)), index_(index), retries_(retries) {
    const auto received = message();
    if (!received.compressed())
        return;
    if (auto text = inflate_text(received.stored_body()))
        inflated_ = std::make_unique<std::string>(std::move(*text));
}

} // namespace holdfast::client
