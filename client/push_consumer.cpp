#include "client/push_consumer.hpp"

#include "client/consumer_engine.hpp"

namespace holdfast::client {

push_consumer::push_consumer(push_consumer_options options)
    : engine_(std::make_shared<engine>(std::move(options))) {}

push_consumer::~push_consumer() {
    shutdown();
}

result<void> push_consumer::subscribe(std::string_view topic, std::string_view expression) {
    return engine_->subscribe(topic, expression);
}

result<void> push_consumer::start(std::function<void(delivery)> listener) {
    return engine_->start([listener = std::move(listener)](std::span<delivery> deliveries) {
        for (delivery& each : deliveries) {
            try {
                listener(std::move(each));
            } catch (...) {
                // Its handle is gone and has asked for a retry; the others are none of its business.
                continue;
            }
        }
    });
}

result<void> push_consumer::start_batches(std::function<void(std::span<delivery>)> listener) {
    return engine_->start(std::move(listener));
}

void push_consumer::shutdown(std::chrono::milliseconds grace) {
    engine_->shutdown(grace);
}

std::vector<message_queue> push_consumer::assignment() const {
    return engine_->assignment();
}

result<void> push_consumer::commit() {
    return engine_->commit();
}

const std::string& push_consumer::client_id() const {
    return engine_->client_id();
}

} // namespace holdfast::client
