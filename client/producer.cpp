#include "client/producer.hpp"

#include "client/producer_engine.hpp"

#include <condition_variable>
#include <mutex>
#include <optional>

namespace holdfast::client {

namespace {

// Where a synchronous send waits.
class send_waiter {
  public:
    void put(const send_result& result) {
        // Notified under the lock: the waiter destroys this as soon as it sees the result.
        const std::lock_guard lock{mutex_};
        result_ = result;
        arrived_.notify_one();
    }
    send_result wait() {
        std::unique_lock lock{mutex_};
        arrived_.wait(lock, [this] { return result_.has_value(); });
        return std::move(*result_);
    }

  private:
    std::mutex mutex_;
    std::condition_variable arrived_;
    std::optional<send_result> result_;
};

send_result called_from_callback() {
    return send_error{send_error_kind::invalid, 0,
                      "a callback can't wait for a send, which needs its thread: use send_async"};
}

} // namespace

producer::producer(producer_options options) : engine_(std::make_shared<engine>(std::move(options))) {}

producer::~producer() {
    shutdown();
}

result<void> producer::start() {
    return engine_->start();
}

void producer::shutdown() {
    engine_->shutdown();
}

send_result producer::send(message outgoing) {
    if (engine_->on_io_thread())
        return called_from_callback();
    send_waiter waiter;
    engine_->send(std::move(outgoing), nullptr, [&](const send_result& result) { waiter.put(result); });
    return waiter.wait();
}

send_result producer::send(message outgoing, const queue_selector& select) {
    if (engine_->on_io_thread())
        return called_from_callback();
    send_waiter waiter;
    engine_->send(std::move(outgoing), &select, [&](const send_result& result) { waiter.put(result); });
    return waiter.wait();
}

send_result producer::send_batch(std::span<const message> messages) {
    if (engine_->on_io_thread())
        return called_from_callback();
    send_waiter waiter;
    engine_->send_batch(messages, [&](const send_result& result) { waiter.put(result); });
    return waiter.wait();
}

void producer::send_async(message outgoing, send_callback done) {
    engine_->send(std::move(outgoing), nullptr, std::move(done));
}

void producer::send_async(message outgoing, const queue_selector& select, send_callback done) {
    engine_->send(std::move(outgoing), &select, std::move(done));
}

void producer::send_batch_async(std::span<const message> messages, send_callback done) {
    engine_->send_batch(messages, std::move(done));
}

result<void> producer::send_oneway(message outgoing) {
    return engine_->send_oneway(std::move(outgoing));
}

result<std::string> producer::recall(std::string_view topic, std::string_view handle) {
    if (engine_->on_io_thread())
        return error{errc::invalid_argument, "a callback can't wait for an answer, which needs its thread"};
    return engine_->recall(std::string{topic}, std::string{handle});
}

result<std::vector<message_queue>> producer::queues(std::string_view topic) {
    return engine_->queues(topic);
}

std::size_t producer::in_flight() const {
    return engine_->in_flight();
}

const std::string& producer::client_id() const {
    return engine_->client_id();
}

} // namespace holdfast::client
