#include "client/transaction_producer.hpp"

#include "client/transaction_engine.hpp"

#include <future>

namespace holdfast::client {

namespace {

send_error called_from_callback() {
    return {send_error_kind::invalid, 0,
            "a callback can't wait for a send, which needs its thread: use send_half_async"};
}

} // namespace

transaction_producer::transaction_producer(transaction_producer_options options, checker check)
    : engine_(std::make_shared<engine>(std::move(options), std::move(check))) {}

transaction_producer::~transaction_producer() {
    shutdown();
}

result<void> transaction_producer::start() {
    return engine_->start();
}

void transaction_producer::shutdown() {
    engine_->shutdown();
}

transaction_result transaction_producer::send(const message& outgoing, const local_transaction& run) {
    half_result sent = send_half(outgoing);
    if (!sent)
        return {.half = sent.failure()};
    half_message half = std::move(sent.half());
    transaction_result all{.half = half.receipt()};
    try {
        all.decision = run(outgoing, half.receipt());
    } catch (...) {
        // Whether it happened is for the checker to find out.
        all.decision = transaction_decision::unknown;
        engine_->trouble({errc::internal, "the local transaction of " + half.transaction_id() +
                                              " threw, which counts as unknown"});
    }
    if (!engine_->confirms()) {
        half.decide(all.decision);
        return all;
    }
    // Shared: the waiter may be gone before the setter has returned.
    const auto told = std::make_shared<std::promise<result<void>>>();
    half.decide(all.decision, [told](const result<void>& outcome) { told->set_value(outcome); });
    all.told = told->get_future().get();
    return all;
}

half_result transaction_producer::send_half(message outgoing) {
    if (engine_->on_io_thread())
        return called_from_callback();
    const auto answered = std::make_shared<std::promise<half_result>>();
    engine_->send_half(std::move(outgoing),
                       [answered](half_result outcome) { answered->set_value(std::move(outcome)); });
    return answered->get_future().get();
}

void transaction_producer::send_half_async(message outgoing, half_callback done) {
    engine_->send_half(std::move(outgoing), std::move(done));
}

std::size_t transaction_producer::in_flight() const {
    return engine_->in_flight();
}

const std::string& transaction_producer::client_id() const {
    return engine_->client_id();
}

} // namespace holdfast::client
