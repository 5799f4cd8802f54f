// Hands deliveries to threads of its own, without the usual trap: here a message is done when its handle says
// so, on whatever thread, and not when the listener returns. Kill this program in the middle of its work, and
// what was not acknowledged comes again.
//
//     build/examples/async_consumer [NAME-SERVER]        (default 127.0.0.1:9876)
#include "client/push_consumer.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <iostream>
#include <memory>
#include <thread>

using namespace holdfast::client;

namespace {

bool process(std::string_view order) {
    std::this_thread::sleep_for(std::chrono::milliseconds{50}); // a database, a web service, ...
    return !order.empty();
}

} // namespace

int main(int argc, char** argv) {
    push_consumer_options options;
    options.client.name_servers = argc > 1 ? argv[1] : "127.0.0.1:9876";
    options.group = "example_async_consumer";
    options.from = consume_from::first;
    // Bounds what waits in the pool: pulling pauses above it.
    options.max_cached_messages_per_queue = 1'000;
    options.on_trouble = [](const holdfast::error& what) { std::cerr << what.message << '\n'; };

    boost::asio::thread_pool workers{8};
    push_consumer consumer{options};
    auto ready = consumer.subscribe("example");
    if (ready)
        ready = consumer.start([&workers](delivery received) {
            // The handle moves with the work. Should the work be lost, with it or by an exception, the handle
            // asks for another delivery by itself.
            boost::asio::post(workers, [work = std::make_shared<delivery>(std::move(received))] {
                if (process(work->body()))
                    work->ack();
                else
                    work->retry_later();
            });
        });
    if (!ready) {
        std::cerr << ready.failure().message << '\n';
        return 1;
    }
    std::cout << "working; press Enter to stop" << std::endl;
    std::cin.get();
    consumer.shutdown(std::chrono::seconds{10}); // lets the pool finish what it has, then commits
    workers.join();
}
