import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import kotlin.Unit;
import okhttp3.OkHttpClient;
import org.phoenixframework.Channel;
import org.phoenixframework.Defaults;
import org.phoenixframework.Message;
import org.phoenixframework.Presence;
import org.phoenixframework.Push;
import org.phoenixframework.Socket;

/** A client on JavaPhoenixClient, which prints a line for each thing that happens to it. */
class Phoenix {
    private static final long TIMEOUT = 10_000; // in milliseconds, as the library's own
    private static String shown = "";

    public static void main(String[] args) throws Exception {
        Socket socket = new Socket(System.getenv("AVIARY_URL"), Map.of(), System.getenv("AVIARY_VSN"),
            Defaults.INSTANCE.getEncode(), Defaults.INSTANCE.getDecode(), new OkHttpClient());
        socket.connect();

        String name = System.getenv("AVIARY_NAME");
        Channel room = socket.channel("room:quiet-" + name, Map.of());
        room.on("shout", message -> say("shout", message));
        Push joining = room.join(TIMEOUT);
        joining.receive("ok", message -> say("joined", message)); // each time, also when it rejoins
        outcome(joining);

        Channel closed = socket.channel("room:deny", Map.of());
        say("refused", outcome(closed.join(TIMEOUT)));
        closed.leave(TIMEOUT);

        for (String event : new String[] {"echo", "echo_err"}) {
            Message reply = outcome(room.push(event, Map.of("n", 1), TIMEOUT));
            say("reply " + reply.getStatus(), reply);
        }

        Channel people = socket.channel("pres:" + name, Map.of("name", "ada"));
        Presence presence = new Presence(people, Presence.Options.Companion.getDefaults());
        presence.onSync(() -> show(presence));
        people.join(TIMEOUT);

        while (System.in.read() >= 0) { } // until the end
        outcome(room.leave(TIMEOUT));
        System.out.println("left");
        System.exit(0); // the library's threads would go on
    }

    private static Unit say(String what, Message message) {
        System.out.println(what + " " + message.getPayloadJson());
        return Unit.INSTANCE;
    }

    private static Unit show(Presence presence) {
        String names = String.join(" ", new TreeSet<>(presence.getState().keySet()));
        if (!names.equals(shown)) System.out.println("present " + names);
        shown = names;
        return Unit.INSTANCE;
    }

    /** Waits for the reply to a push, or for its timeout. */
    private static Message outcome(Push push) throws Exception {
        CompletableFuture<Message> reply = new CompletableFuture<>();
        push.receive((status, message) -> { reply.complete(message); return Unit.INSTANCE; });
        return reply.get();
    }
}
